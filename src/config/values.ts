import { isReference } from '../secrets/open.ts';
import { MASK } from '../support/fingerprint.ts';
import { hideKeys } from '../support/hide.ts';
import { maskAddress } from './endpoint.ts';
import { type Context, entryOf } from './keys.ts';
import type { ResolvedValue, Source } from './resolved.ts';
import { type Setting, type Shape, settingsOf, shapeAt } from './shape.ts';
import { findEntry } from './tree.ts';

/** Settings as `--check-config` lists them: in the schema's order, secrets masked, each with its origin. */
export function listValues(context: Context, shape: Shape, config: unknown): ResolvedValue[] {
  const values: ResolvedValue[] = [];
  for (const setting of settingsOf(shape)) {
    const value = valueAt(config, setting.path);
    if (setting.name === 'destinations' && Array.isArray(value)) {
      for (const [index, item] of value.entries())
        for (const [field, inner] of Object.entries(item as Record<string, unknown>)) {
          const at = shapeAt(shape, ['destinations', index, field]);
          if (at?.kind === 'leaf') values.push(one(context, at.setting, ['destinations', index, field], inner));
        }
    } else if (value !== undefined || entryOf(context, setting.name)) values.push(one(context, setting, setting.path, value));
  }
  return values;
}

function one(context: Context, setting: Setting, path: (string | number)[], effective: unknown): ResolvedValue {
  const name = path.join('.').replace(/\.(\d+)\./, '[$1].');
  const entry = findEntry(context.root, path);
  const source: Source = context.sources.get(name) ?? entry?.value.at ?? 'default';
  const print = context.fingerprints.get(name);
  return {
    name,
    value: shown(setting, entry?.value.kind === 'scalar' ? entry.value.value : undefined, effective),
    secret: setting.secret,
    ...(print !== undefined && { fingerprint: print }),
    source,
  };
}

/** Durations and sizes are shown as they were written, not in the units of the program. */
function shown(setting: Setting, written: unknown, effective: unknown): unknown {
  if (setting.secret && typeof (effective ?? written) === 'string' && isReference(String(effective ?? written))) return MASK;
  if (setting.name === 'proxy') return maskAddress(String(effective ?? written));
  if (setting.secret) return MASK;
  const value = effective === undefined ? written : setting.measure ? (written ?? setting.fallback) : effective;
  if (setting.name.endsWith('endpoint') && typeof value === 'string') return maskAddress(value);
  return hidden(value);
}

function hidden(value: unknown): unknown {
  if (typeof value === 'string') return hideKeys(value);
  return Array.isArray(value) ? value.map(hidden) : value;
}

function valueAt(config: unknown, path: string[]): unknown {
  return path.reduce<unknown>(
    (at, step) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[step] : undefined),
    config,
  );
}
