import fc from 'fast-check';
import { stringify as toToml } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { stringify as toYaml } from 'yaml';
import { readToml } from '../../src/config/formats/toml.ts';
import { readYaml } from '../../src/config/formats/yaml.ts';
import { editDistance, nearestName } from '../../src/config/names.ts';
import { type Node, toPlain } from '../../src/config/tree.ts';

/** Documents of nested maps and lists; each text is a word that occurs once, so that its place can be looked up. */
const document = (() => {
  const name = fc.stringMatching(/^[a-z][a-z_]{0,8}$/);
  const { tree } = fc.letrec<{ tree: Record<string, unknown>; value: unknown }>((tie) => ({
    tree: fc.dictionary(name, tie('value'), { minKeys: 1, maxKeys: 5, noNullPrototype: true }),
    value: fc.oneof(
      { depthSize: 'small' },
      fc.constant('text'),
      fc.constant('quoted text'),
      fc.array(fc.constant('text'), { maxLength: 3 }),
      tie('tree'),
    ),
  }));
  return tree.map((value) => {
    let count = 0;
    const mark = (node: unknown): unknown => {
      if (typeof node === 'string') return `${node === 'text' ? 'word' : 'two words '}${++count}z`;
      if (Array.isArray(node)) return node.map(mark);
      return Object.fromEntries(Object.entries(node as object).map(([key, inner]) => [key, mark(inner)]));
    };
    return mark(value) as Record<string, unknown>;
  });
})();

/** Every value of the tree with its place, as lines of the text show it. */
function misplaced(node: Node, lines: string[]): string[] {
  if (node.kind === 'list') return node.items.flatMap((item) => misplaced(item, lines));
  if (node.kind === 'map')
    return [...node.entries].flatMap(([name, entry]) => {
      const inner = misplaced(entry.value, lines);
      const at = 'file' in entry.at ? (lines[entry.at.line - 1] ?? '').slice(entry.at.column - 1) : '';
      // In TOML a table's name can stand inside a longer one: [a.b].
      return at.includes(name) ? inner : [...inner, `name ${name} at ${JSON.stringify(entry.at)}`];
    });
  const at = 'file' in node.at ? (lines[node.at.line - 1] ?? '').slice(node.at.column - 1) : '';
  return at.replace(/^["']/, '').startsWith(String(node.value)) ? [] : [`value ${String(node.value)} at ${JSON.stringify(node.at)}`];
}

describe('provenance', () => {
  it('knows the place of every value of a YAML document', () => {
    fc.assert(
      fc.property(document, fc.constantFrom('\n', '\r\n'), (value, end) => {
        const text = `# comment\n${toYaml(value, { lineWidth: 0 })}`.replaceAll('\n', end);
        const read = readYaml('a.yml', text);
        expect(read.problems).toEqual([]);
        expect(JSON.parse(JSON.stringify(toPlain(read.root)))).toEqual(value);
        expect(misplaced(read.root, text.split(end))).toEqual([]);
      }),
    );
  });

  it('knows the place of every value of a TOML document', () => {
    fc.assert(
      fc.property(document, fc.constantFrom('\n', '\r\n'), (value, end) => {
        const text = `# comment [a] = "b"\n${toToml(value)}\n`.replaceAll('\n', end);
        const read = readToml('a.toml', text);
        expect(read.problems).toEqual([]);
        expect(JSON.parse(JSON.stringify(toPlain(read.root)))).toEqual(value);
        expect(misplaced(read.root, text.split(end))).toEqual([]);
      }),
    );
  });

  it('finds its way through all that TOML allows', () => {
    const text = [
      'a.b = """',
      'x = 1 # no',
      '[no]"""" # quotes',
      "c = { d = 'w1', e = [ 'w2', # ]",
      "  'w3' ] }",
      '[[f]]',
      'g = "w4"',
      '[f.h]',
      'i = "w5"',
      '[[f]]',
      '"g" = "w6"',
      "'j k'.l = 'w7'",
    ].join('\n');
    const { root, problems } = readToml('a.toml', text);
    expect(problems).toEqual([]);
    const places: Record<string, string> = {};
    const walk = (node: Node): void => {
      if (node.kind === 'map') for (const entry of node.entries.values()) walk(entry.value);
      else if (node.kind === 'list') node.items.forEach(walk);
      else if ('file' in node.at) places[String(node.value)] = `${node.at.line}:${node.at.column}`;
    };
    walk(root);
    expect(places).toEqual({
      'x = 1 # no\n[no]"': '1:7',
      w1: '4:11',
      w2: '4:23',
      w3: '5:3',
      w4: '7:5',
      w5: '9:5',
      w6: '11:7',
      w7: '12:11',
    });
  });

  it('never throws on damaged text', () => {
    const letters = fc.constantFrom(...'ab=.[]{}"\'\\,#:-*&! \n\t|>?');
    fc.assert(
      fc.property(fc.string({ unit: letters, maxLength: 40 }), (text) => {
        return readToml('a', text).problems.length >= 0 && readYaml('a', text).problems.length >= 0;
      }),
      { numRuns: 500 },
    );
  });

  it('is not unfolded to death by YAML aliases', () => {
    const rows = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let level = 1; level < 9; level++)
      rows.push(
        `a${level}: &a${level} [${Array(10)
          .fill(`*a${level - 1}`)
          .join(', ')}]`,
      );
    expect(readYaml('a', rows.join('\n')).problems).toMatchObject([{ code: 'CONFIG_SYNTAX' }]);
    expect(readYaml('a', 'a: &a [*a]').problems.length).toBeGreaterThan(0);
  });
});

describe('editDistance', () => {
  const word = fc.string({ unit: fc.constantFrom(...'abc_'), maxLength: 8 });
  it('is nothing for the same text, the same both ways, and at most the longer length', () => {
    fc.assert(
      fc.property(word, word, (a, b) => {
        const distance = editDistance(a, b);
        return (
          (distance === 0) === (a === b) &&
          distance === editDistance(b, a) &&
          distance <= Math.max(a.length, b.length) &&
          distance >= Math.abs(a.length - b.length)
        );
      }),
    );
  });
  it('counts one edit as one', () => {
    expect(['interva', 'intervall', 'intreval', 'intervol', 'INTERVAL'].map((word) => editDistance(word, 'interval'))).toEqual([
      1, 1, 1, 1, 0,
    ]);
  });
  it('names the nearest, and nothing when all are far', () => {
    expect(nearestName('endpont', ['key', 'endpoint', 'auth'])).toBe('endpoint');
    expect(nearestName('colour', ['key', 'endpoint', 'auth'])).toBeUndefined();
  });
});
