import * as z from 'zod';
import { configSchema } from './schema.ts';

/** One setting, as messages, the environment's names and the reference page need it. */
export interface Setting {
  /** Canonical name: `collectors.processes.top`. */
  name: string;
  path: string[];
  description: string;
  secret: boolean;
  /** What a valid value is, after "Give …": `a duration between 5ms and 24h`. */
  expected: string;
  /** True where text is wanted, so that a number in YAML is taken as the characters written. */
  text: boolean;
  /** True for durations and sizes, which people write with a unit. */
  measure: boolean;
  /** The value in force when unset, as a user would write it; undefined when there is none. */
  fallback?: unknown;
}

/** The schema as a tree of maps, lists and settings. */
export type Shape =
  | {
      kind: 'map';
      fields: Record<string, Shape>;
      description: string /** `cpu: false` stands for `cpu: { enabled: false }`. */;
      switchable: boolean;
    }
  | { kind: 'list'; item: Shape; setting: Setting }
  | { kind: 'leaf'; setting: Setting };

interface Facts {
  description?: string;
  secret?: boolean;
  expected?: string;
  /** Default as a user would write it, where the schema's is in other units. */
  written?: string;
  fallback?: unknown;
}

/** Takes the wrappers off a schema (default, optional, transform) and gathers what they say. */
function unwrap(schema: z.ZodType, facts: Facts = {}, switchable = false): { inner: z.ZodType; facts: Facts; switchable: boolean } {
  const meta = (schema.meta() ?? {}) as Facts;
  const gathered: Facts = { ...meta, ...facts };
  if (schema instanceof z.ZodDefault)
    return unwrap(schema.def.innerType as z.ZodType, { fallback: schema.def.defaultValue, ...gathered }, switchable);
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional)
    return unwrap(schema.def.innerType as z.ZodType, gathered, switchable);
  if (schema instanceof z.ZodPipe) {
    const preprocess = schema.def.in instanceof z.ZodTransform;
    return unwrap((preprocess ? schema.def.out : schema.def.in) as z.ZodType, gathered, switchable || preprocess);
  }
  return { inner: schema, facts: gathered, switchable };
}

function expectedOf(schema: z.ZodType, facts: Facts): string {
  if (facts.expected) return facts.expected;
  if (schema instanceof z.ZodEnum) return `one of ${schema.options.join(', ')}`;
  return 'text';
}

/** The tree of a schema; without arguments, of the whole configuration. */
export function shapeOf(schema: z.ZodType = configSchema, path: string[] = []): Shape {
  const { inner, facts, switchable } = unwrap(schema);
  if (inner instanceof z.ZodObject) {
    const fields: Record<string, Shape> = Object.create(null);
    for (const [name, field] of Object.entries(inner.shape)) fields[name] = shapeOf(field as z.ZodType, [...path, name]);
    return { kind: 'map', fields, description: facts.description ?? '', switchable };
  }
  const setting: Setting = {
    name: path.join('.'),
    path,
    description: facts.description ?? '',
    secret: facts.secret ?? false,
    expected: expectedOf(inner, facts),
    text: inner instanceof z.ZodString || inner instanceof z.ZodEnum,
    measure: facts.written !== undefined,
  };
  const fallback = facts.written ?? facts.fallback;
  if (fallback !== undefined) setting.fallback = fallback;
  if (inner instanceof z.ZodArray) return { kind: 'list', item: shapeOf(inner.def.element as z.ZodType, [...path, '*']), setting };
  return { kind: 'leaf', setting };
}

/** Every setting outside of lists, in the schema's order. */
export function settingsOf(shape: Shape): Setting[] {
  if (shape.kind !== 'map') return [shape.setting];
  return Object.values(shape.fields).flatMap(settingsOf);
}

/** The shape at a path, as far as it goes; numbers step into lists. */
export function shapeAt(shape: Shape, path: readonly PropertyKey[]): Shape | undefined {
  let at: Shape | undefined = shape;
  for (const step of path) {
    if (at?.kind === 'map') at = at.fields[String(step)];
    else if (at?.kind === 'list') at = at.item;
    else return undefined;
  }
  return at;
}
