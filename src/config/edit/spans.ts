import { isScalar, parseDocument, type Scalar, visit } from 'yaml';

/** What stands for a value in a text, quotes and all, and how another value would be written in its place. */
export interface Span {
  start: number;
  end: number;
  /** The value as this format and these quotes have it. */
  write(value: string): string;
}

/** Text that is the same with and without quotes in every format. */
const PLAIN = /^[A-Za-z][A-Za-z0-9_.:/+=-]*[A-Za-z0-9_=-]$/;
/** Hexadecimal that no reader takes for a number: with a letter that is not the `e` of an exponent. */
const HEX = /^[0-9a-f]*[a-df][0-9a-f]*$/i;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const isPlain = (value: string): boolean => PLAIN.test(value) || HEX.test(value) || UUID.test(value);
/** What a shell and systemd read alike without quotes; there are no numbers in an environment file. */
const PLAIN_ENV = /^[\w.:/@%+=,-]+$/;
/** Words that are no text to some reader of YAML. */
const YAML_WORDS = /^(true|false|null|yes|no|on|off|y|n)$/i;

/**
 * The value in an environment file that begins at an offset, up to the end of its assignment; the white space after it
 * is none of it. Goes by the states of formats/env-file.ts.
 */
export function envSpan(text: string, start: number): Span {
  let end = start;
  let state: '' | 'bare' | '"' | "'" = '';
  for (let at = start; at < text.length; at++) {
    const c = text[at] as string;
    if ((state === '' || state === 'bare') && /[\r\n]/.test(c)) break;
    const blank = /[ \t]/.test(c) && (state === '' || state === 'bare');
    // In single quotes a backslash is a character like any other.
    if (c === '\\' && state !== "'") {
      at++;
      if (state === '') state = 'bare';
    } else if (state === '' && (c === '"' || c === "'")) state = c;
    else if (state === c) state = '';
    else if (state === '' && !blank) state = 'bare';
    if (!blank) end = Math.min(at + 1, text.length);
  }
  const style = text[start] === "'" || text[start] === '"' ? text[start] : '';
  const double = (value: string) => `"${value.replace(/["\\$`]/g, '\\$&')}"`;
  const write = (value: string) => {
    if (style === "'" && !value.includes("'")) return `'${value}'`;
    return style === '' && PLAIN_ENV.test(value) ? value : double(value);
  };
  return { start, end, write };
}

/** The string in TOML that begins at an offset; undefined when there is none. */
export function tomlSpan(text: string, start: number): Span | undefined {
  const quote = text[start];
  if (quote !== '"' && quote !== "'") return undefined;
  const fence = text.startsWith(quote.repeat(3), start) ? quote.repeat(3) : quote;
  let end = start + fence.length;
  while (end < text.length && !text.startsWith(fence, end)) end += quote === '"' && text[end] === '\\' ? 2 : 1;
  end += fence.length;
  // One or two quotes may stand right before the closing three.
  if (fence.length === 3) while (text[end] === quote && end - start < text.length) end++;
  const literal = (value: string) => quote === "'" && /^[^'\u0000-\u001f\u007f]*$/.test(value);
  return { start, end, write: (value) => (literal(value) ? `'${value}'` : JSON.stringify(value)) };
}

/** The scalar in YAML that begins at an offset; undefined when there is none (an alias, a map). */
export function yamlSpan(text: string, start: number): Span | undefined {
  let found: Scalar | undefined;
  visit(parseDocument(text, { uniqueKeys: false }), {
    Scalar: (key, node) => {
      if (key === 'key' || node.range?.[0] !== start || node.range[1] === start) return undefined;
      found = node;
      return visit.BREAK;
    },
  });
  if (!isScalar(found) || !found.range) return undefined;
  let end = found.range[1];
  const block = found.type === 'BLOCK_LITERAL' || found.type === 'BLOCK_FOLDED';
  // The line ends after a block belong to it; they stay, as the end of the line that replaces it.
  if (block) end = start + text.slice(start, end).replace(/(\r?\n[ \t]*)+$/, '').length;
  const single = found.type === 'QUOTE_SINGLE';
  const bare = found.type !== 'QUOTE_DOUBLE' && !single;
  const write = (value: string) => {
    if (bare && isPlain(value) && !YAML_WORDS.test(value)) return value;
    return single && /^[\x20-\x7e]*$/.test(value) ? `'${value.replaceAll("'", "''")}'` : JSON.stringify(value);
  };
  return { start, end, write };
}
