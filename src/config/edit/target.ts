import { type Problem, ScoutError } from '../../support/errors.ts';
import { formatOf } from '../load.ts';
import { type ResolveOptions, resolveConfig } from '../resolve.ts';
import type { Resolution } from '../resolved.ts';
import { type Change, type Editable, editText, valueAt } from './edit.ts';
import { type Original, readOriginal, replaceOriginal } from './replace.ts';

/** A secret setting where it stands in a file, with what stands there. */
export interface Target {
  field: string;
  file: string;
  format: Editable;
  line: number;
  column: number;
  value: string;
}

/** Values of one file that shall be others. */
export interface Plan {
  original: Original;
  targets: Target[];
}

/**
 * The places of secret settings, by file. Each file is read before the configuration is resolved for good: whatever
 * changes it afterwards is noticed when it is replaced. `wanted` names one setting or several, else all secrets that stand
 * in files are meant. Throws EDIT_REFUSED where one that is wanted cannot be changed in a file, and the first fault of a
 * configuration that cannot be read.
 */
export function planEdits(options: ResolveOptions, wanted?: string | readonly string[]): Plan[] {
  const files = new Map<string, Original>();
  for (const spot of spotsOf(resolveConfig(options), wanted)) if (!files.has(spot.file)) files.set(spot.file, readOriginal(spot.file));
  const plans = new Map<string, Plan>();
  for (const spot of spotsOf(resolveConfig(options), wanted)) {
    const original = files.get(spot.file);
    if (!original) throw new ScoutError('EDIT_RACE', { path: spot.file });
    const value = valueAt(spot.format, original.text, spot);
    const plan = plans.get(original.path) ?? { original, targets: [] };
    if (value === undefined) {
      if (wanted !== undefined) throw refusal(spot, 'it is an alias of another value, or cannot be told from its neighbours');
      continue;
    }
    plan.targets.push({ ...spot, value });
    plans.set(original.path, plan);
  }
  return [...plans.values()];
}

/** Writes other values in place of those of a plan, one file in one step. Throws EDIT_REFUSED, EDIT_RACE or FILE_UNWRITABLE. */
export function applyEdits({ original }: Plan, changes: (Target & { to: string })[]): void {
  let text = original.text;
  // From the end to the start, so that no place moves before its turn.
  const later = (one: Change, other: Change) => other.line - one.line || other.column - one.column;
  for (const change of changes.toSorted(later)) {
    const edited = editText(change.format, text, change);
    if (!edited.ok) throw refusal(change, edited.detail);
    text = edited.text;
  }
  const [first] = changes;
  if (first) replaceOriginal(original, text, (detail) => refusal(first, detail));
}

const SINGLE = ['api.key', 'api.private_key', 'tls.key_passphrase', 'proxy'];

type Spot = Omit<Target, 'value'>;

function spotsOf(resolution: Resolution, wanted: string | readonly string[] | undefined): Spot[] {
  const { values, file } = resolution;
  const broken = resolution.problems.find(({ code, severity }) => severity === 'error' && UNREAD.has(code));
  if (broken) throw ScoutError.of(broken);
  const names =
    wanted === undefined ? [...SINGLE, ...values.flatMap(({ name }) => (DESTINATION.test(name) ? [name] : []))] : [wanted].flat();
  return names.flatMap((name) => {
    const found = spotOf(resolution, name);
    if (typeof found !== 'string') return [found];
    if (wanted === undefined) return [];
    throw new ScoutError('EDIT_REFUSED', { name, path: file ?? 'the configuration', detail: found, field: name });
  });
}

/** Where a setting stands, or why it cannot be changed. */
function spotOf({ values }: Resolution, field: string): Spot | string {
  const source = values.find(({ name }) => name === field)?.source;
  const named = values.find(({ name }) => name === `${field}_file`)?.value;
  if (typeof source === 'object' && 'variable' in source) return `it comes from the variable ${source.variable}, not from a file`;
  const place = typeof source === 'object' && 'file' in source ? source : undefined;
  // A file that holds the value and nothing else.
  if (typeof named === 'string' && (!place || place.file === named)) return { field, file: named, format: 'text', line: 1, column: 1 };
  const format = place && formatOf(place.file);
  if (!place || !format) return 'it is not set; write the line first, with any text as its value';
  if (format === 'env' && DESTINATION.test(field)) return 'it is part of the JSON in SCOUT_DESTINATIONS';
  return { field, file: place.file, format, line: place.line, column: place.column };
}

const DESTINATION = /^destinations\[\d+\]\.key$/;
const UNREAD = new Set<Problem['code']>([
  'CONFIG_NOT_FOUND',
  'CONFIG_MISSING_FILE',
  'CONFIG_FORMAT_UNKNOWN',
  'CONFIG_SYNTAX',
  'FILE_UNREADABLE',
  'CONFIG_TOO_LARGE',
]);

const refusal = ({ field, file }: Spot, detail: string) => new ScoutError('EDIT_REFUSED', { name: field, path: file, detail, field });
