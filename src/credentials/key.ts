import { type Place, type Problem, problem } from '../support/errors.ts';

/** What a well-formed key is: 64 hexadecimal characters; text of a service's own making; any token. */
export type KeyFormat = 'hex64' | 'opaque' | 'token';

const HEX64 = 64;
const OPAQUE_LEAST = 16;

const PLACEHOLDERS = [
  /^<.*>$/,
  /^\$\{?\w+\}?$/,
  /^\{\{.*\}\}$/,
  /^%\w+%$/,
  /^\[.*\]$/,
  // One sign repeated; a row of zeros is hexadecimal and still nobody's key.
  /^([x*._#0-])\1{2,}$/i,
  /your.*(key|token|secret)/i,
  /(key|token|secret|value)[-_ ]?(goes[-_ ]?)?here/i,
  /^(change|replace|edit)[-_ ]?(me|this|it)/i,
  /^(insert|enter|paste|put|add)[-_ ]?(your|the|a|an|api|key|it)?[-_ ]/i,
  /^(example|placeholder|dummy|todo|fixme|tbd|none|null|undefined|secret|password|(api[-_ ]?|my[-_ ]?|agent[-_ ]?)?key)$/i,
];

/** Everything wrong with the form of a key, `name` being what the user calls it. The key itself is in no problem. */
export function checkKey(name: string, key: string, format: KeyFormat, place: Place = {}): Problem[] {
  const length = key.length;
  const bare = key.replace(/\s/g, '');
  if (isPlaceholder(key)) return [problem('KEY_PLACEHOLDER', { name }, place)];
  const problems: Problem[] = [];
  const blank = key.search(/\s/);
  if (blank !== -1) problems.push(problem('KEY_WHITESPACE', { name, position: blank + 1, length, what: blankName(key, blank) }, place));
  if (format === 'hex64') {
    if (bare.length !== HEX64) {
      const by = Math.abs(bare.length - HEX64);
      const hint = bare.length > HEX64 ? `it is ${by} too long` : `it is ${by} too short and was probably cut`;
      problems.push(problem('KEY_LENGTH', { name, got: bare.length, expected: HEX64, hint }, place));
    }
    const foreign = key.search(/[^0-9a-fA-F\s]/);
    if (foreign !== -1) problems.push(problem('KEY_CHARACTER', { name, position: foreign + 1, length }, place));
  } else {
    if (format === 'opaque' && bare.length < OPAQUE_LEAST) problems.push(problem('KEY_SHORT', { name, got: bare.length }, place));
    const foreign = key.search(/[^\x21-\x7e\s]/);
    if (foreign !== -1) problems.push(problem('KEY_UNPRINTABLE', { name, position: foreign + 1, length }, place));
  }
  return problems;
}

/** Whether a text is what examples have in the place of a key. */
export const isPlaceholder = (text: string): boolean => PLACEHOLDERS.some((pattern) => pattern.test(text.trim()));

function blankName(text: string, at: number): string {
  const names: Record<string, string> = { ' ': 'a space', '\t': 'a tab', '\n': 'a line end', '\r': 'a line end' };
  return names[text[at] as string] ?? `U+${text.charCodeAt(at).toString(16).toUpperCase().padStart(4, '0')}`;
}
