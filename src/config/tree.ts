import type { Place } from '../support/errors.ts';

/** Where a value was written: a place in a file, a variable of the environment, or an option of the command line. */
export type Origin = { file: string; line: number; column: number } | { variable: string } | { option: string };

/** A single value; `null` is kept, so that a setting left empty can be told by its place. */
interface ScalarNode {
  kind: 'scalar';
  value: unknown;
  /** The characters as written, where a format turned them into a number or the like: a key of digits only stays a key. */
  text?: string;
  at: Origin;
}

interface ListNode {
  kind: 'list';
  items: Node[];
  at: Origin;
}

export interface MapNode {
  kind: 'map';
  entries: Map<string, Entry>;
  at: Origin;
}

export type Node = ScalarNode | ListNode | MapNode;

/** One setting of a map. */
export interface Entry {
  /** Name as the user wrote it: `SCOUTAPIKEY`, `agent.api_key`; what messages call it. */
  written: string;
  /** Where the name stands. */
  at: Origin;
  value: Node;
}

/** A map with nothing in it. */
export function emptyMap(at: Origin): MapNode {
  return { kind: 'map', entries: new Map(), at };
}

/** The place of an origin, for a problem; a variable or an option has none beyond its name. */
export function placeOf(origin: Origin | undefined): Place {
  return origin && 'file' in origin ? { file: origin.file, line: origin.line, column: origin.column } : {};
}

/** The value of a node as plain data. Prototype-less objects, so that `__proto__` is a name like any other. */
export function toPlain(node: Node): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(toPlain);
  const plain: Record<string, unknown> = Object.create(null);
  for (const [name, entry] of node.entries) plain[name] = toPlain(entry.value);
  return plain;
}

/** The entry at a path; a number steps into a list, whose items have no entry of their own. */
export function findEntry(root: MapNode, path: readonly PropertyKey[]): Entry | undefined {
  let entry: Entry | undefined;
  let node: Node = root;
  for (const step of path) {
    if (node.kind === 'map') {
      entry = node.entries.get(String(step));
      if (!entry) return undefined;
      node = entry.value;
    } else if (node.kind === 'list' && typeof step === 'number' && node.items[step]) {
      entry = { written: `${entry?.written}[${step}]`, at: node.items[step].at, value: node.items[step] };
      node = node.items[step];
    } else return undefined;
  }
  return entry;
}

/** The deepest entry that exists on the way to a path. */
export function nearestEntry(root: MapNode, path: readonly PropertyKey[]): Entry | undefined {
  for (let length = path.length; length > 0; length--) {
    const found = findEntry(root, path.slice(0, length));
    if (found) return found;
  }
  return undefined;
}

/** Puts an entry at a path, making the maps on the way; what stood there is replaced. Returns false where a value is in the way. */
export function setEntry(root: MapNode, path: readonly string[], entry: Entry): boolean {
  let map = root;
  for (const [index, step] of path.slice(0, -1).entries()) {
    const next = map.entries.get(step);
    if (next && next.value.kind === 'map') map = next.value;
    else if (next && !isNull(next.value)) return false;
    else {
      const made = emptyMap(entry.at);
      map.entries.set(step, { written: path.slice(0, index + 1).join('.'), at: entry.at, value: made });
      map = made;
    }
  }
  map.entries.set(path.at(-1) as string, entry);
  return true;
}

/** Takes away what stands at a path; maps and lists above stay. */
export function dropEntry(root: MapNode, path: readonly PropertyKey[]): void {
  const parent = path.length === 1 ? root : findEntry(root, path.slice(0, -1))?.value;
  const last = path.at(-1);
  if (parent?.kind === 'map') parent.entries.delete(String(last));
  else if (parent?.kind === 'list') parent.items.splice(Number(last), 1);
}

/** Lays `over` on `base`: maps merge, anything else replaces. `replaced` hears of each value that gave way. */
export function mergeMaps(
  base: MapNode,
  over: MapNode,
  replaced?: (path: string[], old: Entry, now: Entry) => void,
  path: string[] = [],
): void {
  for (const [name, entry] of over.entries) {
    const old = base.entries.get(name);
    if (old?.value.kind === 'map' && entry.value.kind === 'map') mergeMaps(old.value, entry.value, replaced, [...path, name]);
    else {
      if (old) replaced?.([...path, name], old, entry);
      base.entries.set(name, entry);
    }
  }
}

export const isNull = (node: Node): boolean => node.kind === 'scalar' && (node.value === null || node.value === undefined);
