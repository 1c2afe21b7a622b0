import { type ErrorCode, isAlias, isMap, isScalar, isSeq, parseDocument, type Node as YamlNode } from 'yaml';
import { type Problem, problem } from '../../support/errors.ts';
import { shownName } from '../names.ts';
import { emptyMap, type MapNode, mergeMaps, type Node } from '../tree.ts';
import { type Document, Lines } from './document.ts';

/** The library's sentences can quote the text they stumbled on, and that may be a key: these never do. */
const SENTENCES: Partial<Record<ErrorCode, string>> = {
  BAD_ALIAS: 'a value that begins with `*` refers to an anchor, and there is none of that name; put the value in quotes',
  BAD_DIRECTIVE: 'a line that begins with `%` is not a directive known here',
  BAD_DQ_ESCAPE: 'this backslash sequence does not exist in double quotes',
  BAD_INDENT: 'the line is not indented like its neighbours',
  BAD_SCALAR_START: 'the value begins with a character that must stand in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a nested `name: value` stands where a value was expected; begin it on a new, indented line',
  MISSING_CHAR: 'a colon, comma, quote or bracket is missing',
  MULTILINE_IMPLICIT_KEY: 'a name must stand on one line with its colon',
  MULTIPLE_DOCS: 'the file holds a second document (`---`)',
  NON_STRING_KEY: 'a name must be plain text',
  TAB_AS_INDENT: 'the line is indented by a tab; use spaces',
  TAG_RESOLVE_FAILED: 'a value that begins with `!` is a tag, and this one is not known; put the value in quotes',
  UNEXPECTED_TOKEN: 'this does not fit here',
};

/** Far more nodes than any configuration has: a bound on what nested aliases can unfold to. */
const MOST_NODES = 4_000;
const DEEPEST_ALIAS = 20;

/** Reads YAML 1.2 with the place of each value. */
export function readYaml(file: string, text: string): Document {
  const lines = new Lines(file, text);
  const document = parseDocument(text, { prettyErrors: false, uniqueKeys: false });
  const problems: Problem[] = [...document.errors, ...document.warnings].map((error) =>
    syntax(SENTENCES[error.code] ?? 'this is not YAML', lines, error.pos[0]),
  );
  if (problems.length > 0) return { root: emptyMap(lines.at(0)), problems: problems.slice(0, 1) };

  const reader = new Tree(lines, problems, (alias) => (isAlias(alias) ? alias.resolve(document) : undefined));
  const root = document.contents === null ? emptyMap(lines.at(0)) : reader.node(document.contents, 0, '');
  if (root.kind === 'map') return { root, problems };
  if (root.kind === 'scalar' && root.value === null) return { root: emptyMap(root.at), problems };
  return { root: emptyMap(root.at), problems: [syntax('a configuration is made of `name: value` lines, and this is not one', lines, 0)] };
}

const syntax = (detail: string, lines: Lines, offset: number) => problem('CONFIG_SYNTAX', { format: 'YAML', detail }, lines.at(offset));

/** Turns the library's nodes into ours. */
class Tree {
  private readonly lines: Lines;
  private readonly problems: Problem[];
  private readonly resolve: (alias: YamlNode) => YamlNode | undefined;
  private count = 0;
  /** Aliases being resolved inside each other; one that contains itself would never end. */
  private depth = 0;

  constructor(lines: Lines, problems: Problem[], resolve: (alias: YamlNode) => YamlNode | undefined) {
    this.lines = lines;
    this.problems = problems;
    this.resolve = resolve;
  }

  node(node: YamlNode | null, offset: number, path: string): Node {
    const start = node?.range?.[0] ?? offset;
    const at = this.lines.at(start);
    if (++this.count > MOST_NODES) {
      if (this.count === MOST_NODES + 1) this.problems.push(syntax('the file unfolds to too many values', this.lines, start));
      return { kind: 'scalar', value: null, at };
    }
    if (isAlias(node)) {
      const target = this.depth < DEEPEST_ALIAS ? this.resolve(node) : undefined;
      if (!target) this.problems.push(syntax(SENTENCES.BAD_ALIAS as string, this.lines, start));
      this.depth++;
      const resolved = { ...this.node(target ?? null, start, path), at };
      this.depth--;
      return resolved;
    }
    if (isMap(node)) return this.map(node.items as { key: unknown; value: unknown }[], at, path);
    if (isSeq(node)) return { kind: 'list', items: node.items.map((item) => this.node(item as YamlNode, start, path)), at };
    const value = isScalar(node) ? node.value : null;
    const text = isScalar(node) && typeof value !== 'string' ? node.source : undefined;
    return { kind: 'scalar', value, at, ...(text !== undefined && { text }) };
  }

  private map(items: { key: unknown; value: unknown }[], at: ReturnType<Lines['at']>, path: string): MapNode {
    const map: MapNode = { kind: 'map', entries: new Map(), at };
    for (const { key, value } of items) {
      const scalar = isScalar(key) ? key : undefined;
      const place = this.lines.at((key as YamlNode | null)?.range?.[0] ?? 0);
      if (!scalar) {
        this.problems.push(problem('CONFIG_SYNTAX', { format: 'YAML', detail: SENTENCES.NON_STRING_KEY as string }, place));
        continue;
      }
      if (scalar.value === '<<') {
        this.problems.push(
          syntax('`<<` takes in another map in YAML 1.1 only; write its settings out here', this.lines, scalar.range?.[0] ?? 0),
        );
        continue;
      }
      const name = typeof scalar.value === 'string' ? scalar.value : String(scalar.source ?? '');
      const written = path === '' ? name : `${path}.${name}`;
      const old = map.entries.get(name);
      const afterKey = scalar.range?.[1] ?? 0;
      const node = this.node(value as YamlNode | null, afterKey, written);
      if (old && 'file' in old.at) {
        const other = `${old.at.file}:${old.at.line}:${old.at.column}`;
        this.problems.push(problem('CONFIG_DUPLICATE', { name: shownName(written), other }, place));
        // What stands in the second section is checked as well, and not called missing.
        if (old.value.kind === 'map' && node.kind === 'map') mergeMaps(old.value, node);
      } else map.entries.set(name, { written, at: place, value: node });
    }
    return map;
  }
}
