import { type Described, flatten, type Takes } from './describe.ts';

/** The completion of a program for bash; needs bash 4.4 and nothing beside it. */
export function bashCompletion(program: string, root: Described): string {
  const all = flatten(root);
  const fn = `_${program.replaceAll('-', '_')}`;
  const known = all.flatMap(({ path }) => (path.length > 0 ? [`' ${path.join(' ')}'`] : []));
  const values = all.flatMap(({ path, options }) =>
    options
      .filter(({ takes }) => takes.kind !== 'nothing')
      .flatMap(({ names, takes }) => names.map((name) => ({ at: pattern([...path, name]), does: offer(takes) }))),
  );
  const branches = [...Map.groupBy(values, ({ does }) => does)].map(([does, of]) => `    ${of.map(({ at }) => at).join('|')}) ${does} ;;`);
  const words = all.map(({ path, options, commands, arguments: args }) => {
    const choices = args.flatMap(({ takes }) => (takes.kind === 'choice' ? takes.of : []));
    const found = [...commands.map(({ path: below }) => below.at(-1)), ...choices, ...options.flatMap(({ names }) => names)];
    const files = args.some(({ takes }) => takes.kind === 'file') ? ' files=yes' : '';
    return `    ${pattern(path)}) words='${found.join(' ')}'${files} ;;`;
  });
  return `# Completion of ${program} for bash.
${fn}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} at='' words='' files='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
    ${known.join('|')}) at="$at \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$at $prev" in
${branches.join('\n')}
  esac
  case "$at" in
${words.join('\n')}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
  if [[ $files && $cur != -* ]]; then compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
}
complete -F ${fn} ${program}
`;
}

const pattern = (path: string[]): string => (path.length === 0 ? "''" : `' ${path.join(' ')}'`);

function offer(takes: Takes): string {
  if (takes.kind === 'choice') return `mapfile -t COMPREPLY < <(compgen -W '${takes.of.join(' ')}' -- "$cur"); return`;
  if (takes.kind === 'word') return 'return';
  return `compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -${takes.kind === 'folder' ? 'd' : 'f'} -- "$cur"); return`;
}
