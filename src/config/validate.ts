import type * as z from 'zod';
import { type Problem, problem } from '../support/errors.ts';
import { hideKeys } from '../support/hide.ts';
import { configSchema } from './schema.ts';
import { type Shape, shapeAt } from './shape.ts';
import { dropEntry, findEntry, type MapNode, nearestEntry, placeOf, toPlain } from './tree.ts';

export type Parsed = z.output<typeof configSchema>;

/**
 * Holds the settings against the schema. Values that do not fit are reported and left out, so that the rest can be
 * checked further: all faults are told at once. Their names go to `unfit`.
 */
export function validate(root: MapNode, shape: Shape, unfit: Set<string>): { parsed: Parsed; problems: Problem[] } {
  const problems: Problem[] = [];
  // A value taken out of a list can make the list itself unfit, hence more than one round.
  for (let round = 0; round < 10; round++) {
    const result = configSchema.safeParse(toPlain(root));
    if (result.success) return { parsed: result.data, problems };
    const paths = result.error.issues.map((issue) => issue.path);
    for (const path of paths) if (round === 0 || !problems.length) problems.push(explain(root, shape, path));
    for (const path of paths) unfit.add(path.map(String).join('.'));
    // From the end, so that positions in lists stay true.
    for (const path of paths.toReversed()) dropEntry(root, findEntry(root, path) ? path : droppable(root, path));
  }
  return { parsed: configSchema.parse({}), problems };
}

/** For a setting that is missing in an item of a list: the item. */
function droppable(root: MapNode, path: PropertyKey[]): PropertyKey[] {
  for (let length = path.length - 1; length > 0; length--) if (findEntry(root, path.slice(0, length))) return path.slice(0, length);
  return path;
}

function explain(root: MapNode, shape: Shape, path: PropertyKey[]): Problem {
  const name = path
    .map(String)
    .join('.')
    .replace(/\.(\d+)(?=\.|$)/g, '[$1]');
  const entry = findEntry(root, path);
  const at = shapeAt(shape, path);
  const wanted = at === undefined || at.kind === 'map' ? 'a section with settings of its own' : at.setting.expected;
  const expected = wanted === 'text' ? 'text in quotes' : wanted;
  const place = placeOf(entry?.value.at ?? nearestEntry(root, path)?.at);
  if (!entry) return problem('CONFIG_VALUE', { name, detail: 'it is missing', expected }, place);
  const variable = 'variable' in entry.value.at ? ` (from ${entry.value.at.variable})` : '';
  const secret = at === undefined || (at.kind !== 'map' && at.setting.secret) || at.kind !== 'leaf';
  const what = secret
    ? `it is not ${expected}`
    : `\`${show(entry.value.kind === 'scalar' ? entry.value.value : toPlain(entry.value))}\` is not ${expected}`;
  return problem('CONFIG_VALUE', { name, detail: what + variable, expected }, place);
}

function show(value: unknown): string {
  // JSON has no word for what is no finite number.
  const text = typeof value === 'string' || typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  const shown = hideKeys(text);
  return shown.length > 60 ? `${shown.slice(0, 57)}…` : shown;
}
