import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';

/* The examples of docs/forwarding.md: YAML that parses, and a Collector's configuration whose parts all exist. */

const text = readFileSync(new URL('../../../docs/forwarding.md', import.meta.url), 'utf8');
const blocks = [...text.matchAll(/```yaml\n(.*?)```/gs)].map(([, block]) => {
  const document = parseDocument(block!, { strict: true, uniqueKeys: true });
  return { errors: [...document.errors, ...document.warnings], value: document.toJS() as Record<string, Record<string, unknown>> };
});

describe('the examples of forwarding', () => {
  it('are YAML', () => {
    expect(blocks.length).toBeGreaterThan(3);
    for (const { errors, value } of blocks) {
      expect(errors).toEqual([]);
      expect(value).toBeTypeOf('object');
    }
  });

  it('name no part of a Collector that is not there', () => {
    const collectors = blocks.map((one) => one.value).filter((value) => value.service);
    expect(collectors).toHaveLength(1);
    const [{ service, ...parts }] = collectors as [Record<string, Record<string, unknown>>];
    const { extensions, pipelines } = service as { extensions: string[]; pipelines: Record<string, Record<string, string[]>> };
    for (const name of extensions) expect(parts.extensions).toHaveProperty(name);
    for (const pipeline of Object.values(pipelines))
      for (const [kind, names] of Object.entries(pipeline)) for (const name of names) expect(parts[kind]).toHaveProperty(name);
  });
});
