import { type Described, flatten } from '../src/cli/completion/describe.ts';
import { EXIT } from '../src/support/errors.ts';

/** What a manual page has that the help of a program does not tell. */
export interface Manual {
  program: string;
  version: string;
  /** Seconds since 1970. */
  date: number;
  /** Files and what is in them. */
  files: [string, string][];
  signals: [string, string][];
  see: string;
}

const MEANING: Record<keyof typeof EXIT, string> = {
  done: 'Done.',
  failed: 'Failed.',
  usage: 'Wrong usage.',
  unreachable: 'The service is unreachable.',
  again: 'Try again later: another rotation or agent is under way.',
  refused: 'Refused: permissions, or the service refused the key.',
  config: 'The configuration is wrong.',
};

/** The manual page of a program, section 1, from what its help knows. */
export function manualPage(manual: Manual, root: Described): string {
  const { program, version, date, files, signals, see } = manual;
  const day = new Date(date * 1_000).toISOString().slice(0, 10);
  const commands = flatten(root).filter(({ path, commands }) => path.length > 0 && commands.length === 0);
  return [
    `.TH ${program.toUpperCase()} 1 ${day} "${program} ${version}" "User Commands"`,
    '.SH NAME',
    `${text(program)} \\- ${text(root.summary.replace(/\.$/, ''))}`,
    '.SH SYNOPSIS',
    `.B ${text(root.usage)}`,
    '.SH DESCRIPTION',
    text(root.summary),
    '.SH OPTIONS',
    ...options(root),
    ...(root.examples.length > 0 ? ['.SH EXAMPLES', ...examples(root)] : []),
    '.SH COMMANDS',
    ...commands.flatMap((one) => [`.SS ${text(one.usage)}`, text(sentence(one.summary)), ...options(one), ...examples(one)]),
    '.SH EXIT STATUS',
    ...Object.entries(EXIT).flatMap(([name, status]) => ['.TP', `.B ${status}`, text(MEANING[name as keyof typeof EXIT])]),
    '.SH SIGNALS',
    ...signals.flatMap(([name, does]) => ['.TP', `.B ${name}`, text(does)]),
    '.SH FILES',
    ...files.flatMap(([path, what]) => ['.TP', `.I ${text(path)}`, text(what)]),
    '.SH SEE ALSO',
    see,
    '',
  ].join('\n');
}

function options({ options: all }: Described): string[] {
  return all
    .filter(({ names }) => !names.includes('--help'))
    .flatMap(({ flags, summary, takes }) => [
      '.TP',
      `.B ${text(flags)}`,
      text(sentence(takes.kind === 'choice' ? `${summary} (${takes.of.join(', ')})` : summary)),
    ]);
}

function examples({ examples: lines }: Described): string[] {
  return lines.length === 0 ? [] : ['.PP', '.nf', '.RS 4', ...lines.map(text), '.RE', '.fi'];
}

const sentence = (summary: string): string => `${summary.charAt(0).toUpperCase()}${summary.slice(1).replace(/\.$/, '')}.`;

/** For roff: a hyphen that can be copied, no escape by accident, and no line that begins as a request. */
function text(plain: string): string {
  return plain
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/, '\\&$1')
    .replaceAll('…', '...');
}
