import { stripVTControlCharacters, styleText } from 'node:util';

/** Where a verb writes: stdout for what was asked, stderr for what went on. Colours only on a terminal without NO_COLOR. */
export const out = {
  line: (text = ''): void => void process.stdout.write(`${text}\n`),
  json: (value: unknown): void => void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`),
  note: (text: string): void => void process.stderr.write(`${text}\n`),
};

type Style = Parameters<typeof styleText>[0];

/** Text in a colour, where the stream shows colours. */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
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
