import { withoutNewline } from '../../secrets/open.ts';
import { parseEnvFile } from '../formats/env-file.ts';
import { readToml } from '../formats/toml.ts';
import { readYaml } from '../formats/yaml.ts';
import type { Format } from '../load.ts';
import type { MapNode, Node } from '../tree.ts';
import { envSpan, type Span, tomlSpan, yamlSpan } from './spans.ts';

/** The format of a file in which a value can be replaced; `text` is one that holds the value and nothing else. */
export type Editable = Format | 'text';

/** One value to be replaced: where it begins, and what it shall be. */
export interface Change {
  line: number;
  column: number;
  to: string;
}

export type Edited = { ok: true; text: string } | { ok: false; detail: string };

/**
 * Replaces one value in the text of a configuration; nothing else in it changes. The result is read again and compared
 * with what was meant: every other value the same, this one as wanted. What cannot be done so is refused, with the reason.
 */
export function editText(format: Editable, text: string, change: Change): Edited {
  if (format === 'text') return { ok: true, text: text.replace(/^[\s\S]*?(\r?\n)?$/, (_, end = '') => change.to + end) };
  const start = offsetOf(text, change);
  const before = read(format, text);
  if (!before) return refuse('the file has faults of its own; see scout-agent --check-config');
  const index = before.findIndex((leaf) => leaf.at === start);
  const leaf = before[index];
  if (format === 'yaml' && text[start] === '*') return refuse(ALIAS);
  if (!leaf) return refuse('no value stands there that could be replaced by itself');
  if (before.some((other, at) => at !== index && other.at === start)) return refuse(ALIAS);

  const span = spanOf(format, text, start);
  if (!span) return refuse('the value is not written as plain text');
  const edited = text.slice(0, start) + span.write(change.to) + text.slice(span.end);
  const after = read(format, edited);
  const wanted = before.map((one, at) => (at === index ? { ...one, value: change.to } : one));
  if (!after || !same(after, wanted)) {
    const shared = after?.some((one, at) => at !== index && one.value !== before[at]?.value && one.value === change.to);
    return refuse(shared ? ALIAS : 'the result would not read as it should');
  }
  return { ok: true, text: edited };
}

/** The value that begins at a place, as the format reads it. */
export function valueAt(format: Editable, text: string, place: Pick<Change, 'line' | 'column'>): string | undefined {
  if (format === 'text') return withoutNewline(text);
  const start = offsetOf(text, place);
  return read(format, text)?.find((leaf) => leaf.at === start)?.value;
}

/** One value of a file with its name, and the offset at which it begins. */
interface Leaf {
  name: string;
  value: string;
  at: number;
}

const ALIAS = 'it is an anchor or alias, so that other values hang on it';
const refuse = (detail: string): Edited => ({ ok: false, detail });

function spanOf(format: Format, text: string, start: number): Span | undefined {
  return format === 'env' ? envSpan(text, start) : format === 'toml' ? tomlSpan(text, start) : yamlSpan(text, start);
}

/** Every value in a text, in order; undefined when it cannot be read. */
function read(format: Format, text: string): Leaf[] | undefined {
  if (format === 'env') {
    const { assignments, strays, openQuote } = parseEnvFile(text);
    if (openQuote !== undefined) return undefined;
    const lines = strays.map((at) => ({ name: `line without =: ${text.slice(at, text.indexOf('\n', at))}`, value: '', at: -1 }));
    return [...assignments.map(({ name, value, valueAt }) => ({ name, value, at: valueAt })), ...lines];
  }
  const { root, problems } = format === 'toml' ? readToml('', text) : readYaml('', text);
  return problems.length > 0 ? undefined : leaves(text, root, '');
}

function leaves(text: string, node: MapNode | Node, name: string): Leaf[] {
  if (node.kind === 'map') return [...node.entries].flatMap(([key, entry]) => leaves(text, entry.value, `${name}.${JSON.stringify(key)}`));
  if (node.kind === 'list') return node.items.flatMap((item, index) => leaves(text, item, `${name}[${index}]`));
  const at = 'line' in node.at ? offsetOf(text, node.at) : -1;
  return [{ name, value: node.text ?? String(node.value), at }];
}

const same = (one: Leaf[], other: Leaf[]): boolean =>
  one.length === other.length && one.every(({ name, value }, at) => name === other[at]?.name && value === other[at]?.value);

/** The offset of a line and column, both from 1. */
function offsetOf(text: string, { line, column }: { line: number; column: number }): number {
  let start = 0;
  for (let number = 1; number < line; number++) start = text.indexOf('\n', start) + 1;
  return start + column - 1;
}
