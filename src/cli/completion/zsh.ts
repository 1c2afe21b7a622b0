import { type Described, flatten, type Takes } from './describe.ts';

/** The completion of a program for zsh: a file for `fpath`, or to be read by `source`. */
export function zshCompletion(program: string, root: Described): string {
  const all = flatten(root);
  const fn = `_${program}`;
  const known = all.flatMap(({ path }) => (path.length > 0 ? [quote(` ${path.join(' ')}`)] : []));
  const values = all.flatMap(({ path, options }) =>
    options
      .filter(({ takes }) => takes.kind !== 'nothing')
      .flatMap(({ names, takes }) => names.map((name) => ({ at: quote(` ${[...path, name].join(' ')}`), does: offer(takes) }))),
  );
  const branches = [...Map.groupBy(values, ({ does }) => does)].map(
    ([does, of]) => `    (${of.map(({ at }) => at).join('|')}) ${does} return ;;`,
  );
  const words = all.map((one) => `    ${quote(one.path.length > 0 ? ` ${one.path.join(' ')}` : '')})\n${offers(one)} ;;`);
  return `#compdef ${program}
# Completion of ${program} for zsh.
${fn}() {
  local at='' word
  local -a commands options
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at $word" in
    (${known.join('|')}) at="$at $word" ;;
    esac
  done
  case "$at \${words[CURRENT-1]}" in
${branches.join('\n')}
  esac
  case "$at" in
${words.join('\n')}
  esac
  (( $#commands )) && _describe command commands
  _describe option options
}
if [[ $funcstack[1] = ${fn} ]]; then ${fn} "$@"; else compdef ${fn} ${program}; fi
`;
}

/** In single quotes, whatever it holds. */
const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** \`name:summary\` of _describe, which splits at colons. */
const entry = (name: string, summary: string): string => quote(`${name.replaceAll(':', '\\:')}:${summary.replaceAll(':', '\\:')}`);

function offers({ commands, options, arguments: args }: Described): string {
  const below = commands.map(({ path, summary }) => entry(path.at(-1) as string, summary));
  const choices = args.flatMap(({ takes }) => (takes.kind === 'choice' ? takes.of.map((name) => entry(name, name)) : []));
  const flags = options.flatMap(({ names, summary }) => names.map((name) => entry(name, summary)));
  const files = args.some(({ takes }) => takes.kind === 'file') ? '\n      _files' : '';
  return `      commands=(${[...below, ...choices].join(' ')})\n      options=(${flags.join(' ')})${files}`;
}

function offer(takes: Takes): string {
  if (takes.kind === 'choice') return `compadd -- ${takes.of.join(' ')};`;
  if (takes.kind === 'word') return '_message value;';
  return takes.kind === 'folder' ? '_files -/;' : '_files;';
}
