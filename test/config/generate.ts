import fc, { type Arbitrary } from 'fast-check';
import type { Format } from '../../src/config/load.ts';

/*
 * Configurations made piece by piece, so that the text wanted after an edit is known without the editor's help.
 */

/** A text around one value. */
export interface Made {
  before: string;
  /** The value as written, with its quotes. */
  raw: string;
  after: string;
  value: string;
  /** How another value stands there, if it is a word that needs no quotes. */
  wanted(to: string): string;
}

/** What stands around: anything that the format allows, or settings that pass the check of the configuration. */
export type Around = 'anything' | 'settings';

/** A secret as people have them: a key, a passphrase with all of the keyboard, something beyond ASCII. */
export const secret = fc.oneof(
  fc.stringMatching(/^[0-9a-f]{64}$/),
  fc.stringMatching(/^[!-~]{1,40}$/),
  fc.stringMatching(/^[!-~][ -~]{0,30}[!-~]$/),
  fc.stringMatching(/^[a-zäöß€😀]{1,20}$/u),
);

/** Texts in each format with one of these values as the key. */
export const made: Record<Format, (values: Arbitrary<string>, around: Around) => Arbitrary<Made>> = {
  env: envMade,
  yaml: yamlMade,
  toml: tomlMade,
};

/** Where the value begins. */
export function placeIn({ before }: Pick<Made, 'before'>): { line: number; column: number } {
  const lines = before.split('\n');
  return { line: lines.length, column: (lines.at(-1) as string).length + 1 };
}

const eol = fc.constantFrom('\n', '\r\n');
const word = fc.stringMatching(/^[a-z][a-z0-9]{0,10}$/);
const prose = fc.stringMatching(/^[ -~]{0,30}$/);
const bare = (to: string) => to;
const double = (to: string) => `"${to}"`;
const single = (to: string) => `'${to}'`;

/** Names with what is written for them, no name twice. */
type Lines = [name: string, written: string][];
const lines = (names: Arbitrary<string>, written: string[], most = 5): Arbitrary<Lines> =>
  fc.uniqueArray(fc.tuple(names, fc.constantFrom(...written)), { selector: ([name]) => name, maxLength: most });

function envMade(values: Arbitrary<string>, around: Around): Arbitrary<Made> {
  // Each X gets a number, because a name must not come twice.
  const line = fc.oneof(
    fc
      .tuple(
        word,
        prose.filter((text) => !/[\\"']/.test(text)),
      )
      .map(([name, value]) => `X${name.toUpperCase()}=${value}`),
    prose.filter((text) => !text.includes('\\')).map((text) => `# ${text}`),
    fc.constantFrom('', '   ', '; old', 'XQ="two\nlines" ', "XS='it # is'", 'export XE=1', 'XC=a\\\n  b'),
  );
  const value = values.chain((text) =>
    fc.constantFrom(
      { value: text, raw: `"${text.replace(/["\\$`]/g, '\\$&')}"`, wanted: double },
      ...(text.includes("'") ? [] : [{ value: text, raw: `'${text}'`, wanted: single }]),
      { value: text, raw: text.replace(/[\\"']/g, '\\$&'), wanted: bare },
    ),
  );
  const name = fc.constantFrom('SCOUT_API_KEY=', 'export SCOUT_API_KEY=', ' SCOUT_API_KEY = ', 'SERVERSCOUT_API_KEY=');
  const parts = fc.record({
    above: fc.array(line),
    below: fc.array(line),
    end: eol,
    it: value,
    name,
    tail: fc.constantFrom('', ' ', '\t '),
  });
  const form = around === 'settings' ? 'SCOUT_API_KEY_FORMAT=opaque' : 'XF=';
  return parts.map(({ above, below, end, it, name, tail }) => {
    const all = (some: string[], side: string) =>
      some.map((text, index) => text.replace(/^(export )?X/, `$1X${side}${index}`) + end).join('');
    return { ...it, before: `${form}${end}${all(above, 'A')}${name}`, after: tail + end + all(below, 'B') };
  });
}

const YAML = [' a # why', ' "q: \\" #"', " 'it''s'", ' |\n    two\n     lines\n', ' >-\n    folded\n    text', ' &x v', ' !!str 1', ''];
/** Sections of which the key is none. */
const YAML_ENDS = [
  '',
  'collectors:\n  disk:\n    exclude: [sd*, "a, b"] # list\n',
  'collectors:\n  cpu: {per_core: no} # flow\n  disk:\n    exclude:\n    - &d sda\n    - *d\n',
  'host:\n    proc: &p "/proc"\n    root: *p\n# end',
  'destinations:\n- name: other\n  type: otlp\n  endpoint: https://b.example\n...\n',
];

function yamlMade(values: Arbitrary<string>, around: Around): Arbitrary<Made> {
  const any = around === 'anything';
  const value = values.chain((text) =>
    fc.constantFrom(
      { value: text, raw: JSON.stringify(text), wanted: double },
      { value: text, raw: `'${text.replaceAll("'", "''")}'`, wanted: single },
      ...(/^([a-z][\w:-]*\w|[a-z])$/.test(text) ? [{ value: text, raw: text, wanted: bare }] : []),
      { value: text, raw: `>-\n      ${text}`, wanted: bare },
      { value: text, raw: `|-\n      ${text}`, wanted: bare },
      ...(any ? [{ value: `${text}\n`, raw: `|\n      ${text}`, wanted: bare }] : []),
    ),
  );
  const more = any ? [...YAML, ' [a, {b: c}]'] : YAML;
  const parts = fc.record({
    top: any ? fc.constant<Lines>([]) : lines(fc.constantFrom('state_dir', 'runtime_dir'), more),
    above: lines(any ? word.map((name) => `x${name}`) : fc.constant('file'), more),
    below: lines(any ? word.map((name) => `b${name}`) : fc.constant('credential_id'), more),
    end: eol,
    it: value,
    comment: prose,
    blank: fc.boolean(),
    last: any ? fc.constant('last: [1, 2.50]\n') : fc.constantFrom(...YAML_ENDS),
  });
  return parts.map(({ top, above, below, end, it, comment, blank, last }) => {
    const all = (some: Lines, indent: string) => some.map(([name, written]) => `${indent}${name}:${written}\n`).join('');
    const crlf = (text: string) => text.replaceAll('\n', end);
    // A comment after a block would be part of it.
    const note = /^[|>]/.test(it.raw) ? '' : `  # ${comment}`;
    const section = `${any ? 'x0' : 'log'}:\n${all(above, '  ')}`;
    const api = `api:\n  endpoint: https://a.example # c\n${any ? '' : '  key_format: opaque\n'}  key: `;
    return {
      ...it,
      raw: crlf(it.raw),
      before: crlf(`# ${comment}\n${all(top, '')}${section}${blank ? '\n' : ''}${api}`),
      after: crlf(`${note}\n${all(below, '  ')}${blank ? '\n\n' : ''}${last}`),
    };
  });
}

const TOML = ['"a" # why', "'C:\\x'", '"""\nmany "" lines\\\n  here"""', "'''\n raw ' '''"];
const TOML_OTHER = ['[ "a", # one\n  "b" ]', '{ a = 1, b.c = "]" }', '1979-05-27', '0xff', '1e3'];
const TOML_ENDS = [
  '',
  '[collectors.disk]\nexclude = [ "sd*", # one\n  "b" ]\n',
  '[collectors]\ncpu = { enabled = true, per_core = false } # inline\n',
  '[[destinations]]\nname = "other"\ntype = "otlp"\nendpoint = \'https://b.example\'\n# end',
];

function tomlMade(values: Arbitrary<string>, around: Around): Arbitrary<Made> {
  const any = around === 'anything';
  const value = values.chain((text) =>
    fc.constantFrom(
      { value: text, raw: JSON.stringify(text), wanted: double },
      { value: text, raw: `"""${JSON.stringify(text).slice(1, -1)}"""`, wanted: double },
      { value: text, raw: `"""\n${JSON.stringify(text).slice(1, -1)}"""`, wanted: double },
      ...(text.includes("'")
        ? []
        : [
            { value: text, raw: `'${text}'`, wanted: single },
            { value: text, raw: `'''${text}'''`, wanted: single },
          ]),
    ),
  );
  const more = any ? [...TOML, ...TOML_OTHER] : TOML;
  const parts = fc.record({
    above: lines(any ? word.map((name) => `x${name}`) : fc.constantFrom('host_name', 'log . "file"', 'state_dir'), more),
    below: lines(any ? word.map((name) => `b${name}`) : fc.constantFrom('proc', 'sys', "'root'"), more),
    end: eol,
    it: value,
    comment: prose,
    dotted: fc.boolean(),
    last: any ? fc.constant('') : fc.constantFrom(...TOML_ENDS),
  });
  return parts.map(({ above, below, end, it, comment, dotted, last }) => {
    const all = (some: Lines) => some.map(([name, written]) => `${name} = ${written}\n`).join('');
    const crlf = (text: string) => text.replaceAll('\n', end);
    const head = dotted
      ? 'api.key_format = "opaque"\napi . "key" = '
      : '[ api ]\n\tendpoint = "https://a.example"\nkey_format = \'opaque\'\n  key =   ';
    return {
      ...it,
      raw: crlf(it.raw),
      before: crlf(`# ${comment}\n${all(above)}${head}`),
      after: crlf(`\t# ${comment}\n[${any ? 'b' : 'host'}]\n${all(below)}${last}`),
    };
  });
}
