import { stripVTControlCharacters, styleText } from 'node:util';
import { detailOf, formatProblem, ScoutError } from '../support/errors.ts';

/** Where a verb writes: stdout for what was asked, stderr for what went on. Colours only on a terminal without NO_COLOR. */
export const out = {
  line: (text = ''): void => void process.stdout.write(`${text}\n`),
  json: (value: unknown): void => void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`),
  note: (text: string): void => void process.stderr.write(`${text}\n`),
};

/**
 * Ends the program when nobody takes its output: quietly where the reader has read enough (`| head`), with a word where
 * it cannot be written (a full disk). Output that was lost must not look like success.
 */
export function endWithOutput(): void {
  process.stderr.on('error', () => {});
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    const lost = new ScoutError('FILE_UNWRITABLE', { path: 'the output', detail: detailOf(error) });
    out.note(paint('red', formatProblem(lost.problem), process.stderr));
    process.exit(lost.exit);
  });
}

/** For a verb that must finish what it has begun, whether or not anybody reads on (`| head`): it ends with its own status. */
export function finishRegardless(): void {
  process.stdout.removeAllListeners('error');
  process.stdout.on('error', () => {});
}

type Style = Parameters<typeof styleText>[0];

/** Text in a colour, where the stream shows colours. */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  // FORCE_COLOR, which CI services set, is no terminal, and Node lets it overrule NO_COLOR.
  if (!stream.isTTY || process.env.NO_COLOR) return text;
  return styleText(style, text, { stream, validateStream: true });
}

/** Rows under a header, columns aligned, two spaces between; numbers stand right. */
export function table(header: string[], rows: (string | number)[][]): string {
  const cells = [header.map((name) => paint('bold', name)), ...rows.map((row) => row.map(String))];
  const length = (text: string) => stripVTControlCharacters(text).length;
  const widths = header.map((_, column) => Math.max(...cells.map((row) => length(row[column] ?? ''))));
  const numeric = header.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'));
  return cells
    .map((row) =>
      row
        .map((text, column) => {
          const pad = ' '.repeat((widths[column] ?? 0) - length(text));
          return numeric[column] ? pad + text : text + pad;
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
