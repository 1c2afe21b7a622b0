import { type Described, type DescribedOption, flatten, type Takes } from './describe.ts';

/** The completion of a program for fish. */
export function fishCompletion(program: string, root: Described): string {
  const all = flatten(root);
  const fn = `__${program.replaceAll('-', '_')}_at`;
  const known = all.flatMap(({ path }) => (path.length > 0 ? [quote(` ${path.join(' ')}`)] : []));
  const lines = all.flatMap(({ path, commands, options, arguments: args }) => {
    const start = `complete -c ${program} -n ${quote(`${fn} "${path.map((name) => ` ${name}`).join('')}"`)}`;
    return [
      ...commands.map((one) => `${start} -a ${quote(one.path.at(-1) as string)} -d ${quote(one.summary)}`),
      ...args.flatMap(({ takes }) => (takes.kind === 'choice' ? [`${start} -a ${quote(takes.of.join(' '))}`] : [])),
      ...(args.some(({ takes }) => takes.kind === 'file') ? [`${start} -F`] : []),
      ...options.map((option) => `${start} ${flags(option)} -d ${quote(option.summary)}`),
    ];
  });
  return `# Completion of ${program} for fish.
function ${fn}
    set -l at ''
    for word in (commandline -opc)[2..-1]
        switch "$at $word"
            case ${known.join(' ')}
                set at "$at $word"
        end
    end
    test "$at" = "$argv[1]"
end
complete -c ${program} -f
${lines.join('\n')}
`;
}

/** In single quotes, where fish knows two escapes. */
const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function flags({ names, takes }: DescribedOption): string {
  const switches = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  return [...switches, ...value(takes)].join(' ');
}

function value(takes: Takes): string[] {
  if (takes.kind === 'nothing') return [];
  if (takes.kind === 'choice') return [`-x -a ${quote(takes.of.join(' '))}`];
  if (takes.kind === 'word') return ['-x'];
  return [takes.kind === 'folder' ? `-x -a '(__fish_complete_directories)'` : '-r -F'];
}
