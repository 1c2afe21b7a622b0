import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseEnvFile } from '../../../src/config/formats/env-file.ts';

/** What systemd 252 itself made of each text (its environment.d generator, which shares the parser of EnvironmentFile=, and prints no variable that is empty). */
const recorded: { text: string; variables: Record<string, string> }[] = JSON.parse(
  readFileSync(new URL('../../fixtures/config/systemd-252-env.json', import.meta.url), 'utf8'),
);

const read = (text: string) => Object.fromEntries(parseEnvFile(text).assignments.map(({ name, value }) => [name, value]));
const names = new Set(['A', 'B', 'AA', 'AB', 'BA', 'BB', 'a', 'b']);

describe('parseEnvFile', () => {
  it.each(recorded)('reads $text as systemd does', ({ text, variables }) => {
    const found = Object.fromEntries(Object.entries(read(text)).filter(([name, value]) => names.has(name) && value !== ''));
    expect(found).toEqual(variables);
  });

  it('takes a line after a comment that ends in a backslash as systemd does since 254', () => {
    expect(read('# comment \\\nA=1\n')).toEqual({ A: '1' });
  });

  it('tells where names and values stand', () => {
    const text = '# c\n  A = "x"\nB=\n';
    const [a, b] = parseEnvFile(text).assignments;
    expect(text.slice(a?.nameAt, (a?.nameAt ?? 0) + 1)).toBe('A');
    expect(text.slice(a?.valueAt, (a?.valueAt ?? 0) + 3)).toBe('"x"');
    expect(b?.valueAt).toBe(text.length - 1);
  });

  it('tells of lines without = and of a quote that stays open', () => {
    expect(parseEnvFile('noise\nA="x').strays).toEqual([0]);
    expect(parseEnvFile('noise\nA="x').openQuote).toBe(8);
  });

  it('reads back any value that was put in quotes', () => {
    const quoted = (value: string) => `A="${value.replace(/["\\`$]/g, '\\$&')}"\n`;
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (value) => read(quoted(value)).A === value));
  });

  it('never throws, whatever the text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => Array.isArray(parseEnvFile(text).assignments)));
  });
});
