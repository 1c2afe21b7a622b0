import * as z from 'zod';
import { configSchema } from './schema.ts';

/** JSON Schema (2020-12) of a configuration as users write it, with descriptions; a collector may be `true` or `false` alone. */
export function jsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema: made }) => {
      const plain = made as Record<string, unknown>;
      // What the schema carries for our own use.
      for (const own of ['secret', 'expected', 'written']) {
        if (own === 'written' && plain.written !== undefined) plain.default = plain.written;
        delete plain[own];
      }
      const { def } = zodSchema._zod as unknown as { def: { type: string; in?: { _zod: { def: { type: string } } } } };
      if (def.type === 'pipe' && def.in?._zod.def.type === 'transform' && plain.type === 'object') plain.type = ['object', 'boolean'];
    },
  });
  // A switch may be left out; that its shorthands are a transform hides this from the library.
  const collectors = schema.properties?.collectors;
  if (typeof collectors === 'object') delete collectors.required;
  return { ...schema, title: 'Configuration of scout-agent' };
}
