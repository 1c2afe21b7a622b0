/*
 * Scanning for the parsers of this folder. They run six times a minute, seldom enough to stay in V8's interpreter for
 * long: searching and splitting by its built-in functions costs less there than loops over characters.
 */

const SPACE = 32;
const TAB = 9;
const NEWLINE = 10;
const BLANKS = /[ \t]+/;

const isBlank = (code: number): boolean => code === SPACE || code === TAB;

/** End of the line that holds `from`: the place of its newline, or the end of the text. */
export function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

/** The unsigned decimal at `from`, after blanks; NaN where there is none. */
export function numberAt(text: string, from: number): number {
  let at = from;
  while (isBlank(text.charCodeAt(at))) at++;
  let value = 0;
  const start = at;
  for (; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  return at === start ? Number.NaN : value;
}

/** The numbers between `from` and `to`, blanks between them; it stops at the first thing that is none. */
export function numbersBetween(text: string, from: number, to: number): number[] {
  const found: number[] = [];
  for (const part of parts(text.slice(from, to))) {
    if (part === '') continue;
    const value = Number(part);
    if (Number.isNaN(value)) break;
    found.push(value);
  }
  return found;
}

/** The number that follows `name` where a line begins with it; undefined when no line does. `name` includes its separator. */
export function field(text: string, name: string): number | undefined {
  let at = text.startsWith(name) ? 0 : text.indexOf(`\n${name}`);
  if (at < 0) return undefined;
  if (text.charCodeAt(at) === NEWLINE) at++;
  const value = numberAt(text, at + name.length);
  return Number.isNaN(value) ? undefined : value;
}

/** The words between `from` and `to`, blanks between them. */
export function words(text: string, from: number, to: number): string[] {
  return parts(text.slice(from, to)).filter(Boolean);
}

/** What stands between blanks; empty where several follow one another. By one character where that will do: V8 interprets expressions too. */
function parts(line: string): string[] {
  return line.includes('\t') ? line.split(BLANKS) : line.split(' ');
}

/** Calls `visit` with the bounds of each line that is not empty. */
export function eachLine(text: string, visit: (from: number, to: number) => void): void {
  for (let from = 0; from < text.length; ) {
    const to = lineEnd(text, from);
    if (to > from) visit(from, to);
    from = to + 1;
  }
}

/** Text that was decoded as latin1, with its UTF-8 put right (names of mounts, devices and processes). */
export function utf8(latin1: string): string {
  for (let at = 0; at < latin1.length; at++) if (latin1.charCodeAt(at) > 127) return Buffer.from(latin1, 'latin1').toString('utf8');
  return latin1;
}
