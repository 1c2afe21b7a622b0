import { type Problem, problem } from '../support/errors.ts';
import { addSetting } from './formats/env.ts';
import { nearestName, PATH_ALIASES, shownName, variables } from './names.ts';
import { type Shape, settingsOf, shapeAt } from './shape.ts';
import { dropEntry, type Entry, emptyMap, findEntry, isNull, type MapNode, type Node, placeOf } from './tree.ts';

/**
 * Brings one source of settings into canonical form, in place: aliases under their canonical names, shorthands written
 * out, empty settings taken away (they go to `empty`, by name), lines that lost their indentation put where they were
 * meant to be. What is not known is reported and taken away.
 */
export function normalise(root: MapNode, shape: Shape, problems: Problem[], empty: Map<string, Entry>): void {
  restoreIndentation(root, shape, problems);
  for (const [alias, target] of Object.entries(PATH_ALIASES)) {
    const entry = findEntry(root, alias.split('.'));
    if (!entry) continue;
    dropEntry(root, alias.split('.'));
    addSetting(root, target.split('.'), entry, problems);
  }
  const agent = root.entries.get('agent');
  if (agent && (isNull(agent.value) || agent.value.kind === 'map')) {
    root.entries.delete('agent');
    // Its known settings have been taken out; what is left is unknown, each by its own name.
    if (agent.value.kind === 'map')
      for (const [name, entry] of agent.value.entries) problems.push(unknownKey(['agent', name], entry, {}, shape));
  }
  new Visitor(shape, problems, empty).map(root, shape, []);
}

/** YAML whose lines under `api:` lost their indentation, all or some: its settings follow at the margin. */
function restoreIndentation(root: MapNode, shape: Shape, problems: Problem[]): void {
  let parent: { name: string; entry: Entry; fields: string[] } | undefined;
  for (const [name, entry] of [...root.entries]) {
    const known = shapeAt(shape, [name]);
    if (known?.kind === 'map' || name === 'agent') {
      const fields = [
        ...(known?.kind === 'map' ? Object.keys(known.fields) : []),
        ...Object.keys(PATH_ALIASES).flatMap((alias) => (alias.startsWith(`${name}.`) ? [alias.slice(name.length + 1)] : [])),
      ];
      parent = isNull(entry.value) || entry.value.kind === 'map' ? { name, entry, fields } : undefined;
    } else if (known) parent = undefined;
    else if (parent?.fields.includes(name)) {
      problems.push(problem('CONFIG_INDENTATION', { name, parent: parent.name }, placeOf(entry.at)));
      if (parent.entry.value.kind !== 'map') parent.entry.value = emptyMap(parent.entry.at);
      root.entries.delete(name);
      if (!parent.entry.value.entries.has(name)) parent.entry.value.entries.set(name, { ...entry, written: `${parent.name}.${name}` });
    }
  }
}

class Visitor {
  private readonly everything: Shape;
  private readonly problems: Problem[];
  private readonly empty: Map<string, Entry>;

  constructor(everything: Shape, problems: Problem[], empty: Map<string, Entry>) {
    this.everything = everything;
    this.problems = problems;
    this.empty = empty;
  }

  map(map: MapNode, shape: Shape, path: string[]): void {
    if (shape.kind !== 'map') return;
    for (const [name, entry] of [...map.entries]) {
      const inner = shape.fields[name];
      const here = [...path, name];
      if (!inner) {
        map.entries.delete(name);
        this.problems.push(unknownKey(here, entry, shape.fields, this.everything));
      } else if (isNull(entry.value) || isEmptyText(entry.value, inner)) {
        map.entries.delete(name);
        this.empty.set(here.join('.'), entry);
      } else if (inner.kind === 'map') {
        if (inner.switchable && entry.value.kind === 'scalar') {
          const enabled: Entry = { written: entry.written, at: entry.at, value: entry.value };
          entry.value = { kind: 'map', at: entry.value.at, entries: new Map([['enabled', enabled]]) };
        }
        if (entry.value.kind === 'map') this.map(entry.value, inner, here);
      } else entry.value = this.value(entry.value, inner, here);
    }
  }

  /** A value as its setting wants it: text stays the characters written; a list of maps is visited like the rest. */
  private value(node: Node, shape: Shape, path: string[]): Node {
    if (shape.kind === 'list') {
      const list = node.kind === 'scalar' && typeof node.value === 'string' ? fromJson(node.value, node) : node;
      if (list.kind === 'list') for (const item of list.items) if (item.kind === 'map') this.map(item, shape.item, [...path, '*']);
      return list;
    }
    if (node.kind === 'list') return { ...node, items: node.items.map(asWritten) };
    return shape.kind === 'leaf' && shape.setting.text ? asWritten(node) : node;
  }
}

/** `key: ""` says no more than `key:`. */
const isEmptyText = (node: Node, shape: Shape): boolean =>
  node.kind === 'scalar' && node.value === '' && shape.kind === 'leaf' && shape.setting.text;

const asWritten = (node: Node): Node => (node.kind === 'scalar' && node.text !== undefined ? { ...node, value: node.text } : node);

/** An environment file knows text only: a list is given as JSON there. */
function fromJson(text: string, node: Node): Node {
  const build = (value: unknown): Node => {
    if (Array.isArray(value)) return { kind: 'list', items: value.map(build), at: node.at };
    if (typeof value !== 'object' || value === null) return { kind: 'scalar', value, at: node.at };
    const entries = Object.entries(value).map(([name, inner]): [string, Entry] => [
      name,
      { written: name, at: node.at, value: build(inner) },
    ]);
    return { kind: 'map', entries: new Map(entries), at: node.at };
  };
  try {
    return build(JSON.parse(text));
  } catch {
    return node;
  }
}

function unknownKey(path: string[], entry: Entry, siblings: Record<string, Shape>, everything: Shape): Problem {
  const prefix = path.slice(0, -1).join('.');
  const own = path.at(-1) as string;
  const aliases = Object.keys(PATH_ALIASES)
    .filter((alias) => alias.startsWith(`${prefix}.`))
    .map((alias) => alias.slice(prefix.length + 1));
  const sibling = nearestName(own, [...Object.keys(siblings), ...aliases]);
  const nearest = sibling ? `\`${[...path.slice(0, -1), sibling].join('.').replaceAll('.*', '[]')}\`` : elsewhere(own, everything);
  const params = { name: shownName(path.join('.').replaceAll('.*', '[]')) };
  return nearest
    ? problem('CONFIG_UNKNOWN_KEY', { ...params, nearest }, placeOf(entry.at))
    : problem('CONFIG_UNKNOWN_KEY_FAR', params, placeOf(entry.at));
}

/**
 * The setting meant by a name that stands in the wrong map or is another format's: `endpoint`, `api_key`, `api.key`,
 * `SCOUTAPIKEY` for one under `api`.
 */
function elsewhere(name: string, shape: Shape): string | undefined {
  const plain = name.toLowerCase().replaceAll(/[.-]/g, '_');
  const known = variables(shape);
  const path =
    known.get(plain.toUpperCase()) ??
    known.get(`SCOUT_${plain.toUpperCase()}`) ??
    settingsOf(shape).find((setting) => setting.path.at(-1) === plain)?.path;
  if (!path) return undefined;
  return path.length === 1
    ? `\`${path[0]}\``
    : `\`${path.join('.')}\`: \`${path.at(-1)}\` in the section \`${path.slice(0, -1).join('.')}\``;
}
