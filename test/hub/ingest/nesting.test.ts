import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchOf } from '../../../src/hub/ingest/batch.ts';
import { isShallow } from '../../../src/hub/ingest/nesting.ts';
import { heartbeat, lineOf } from '../helpers.ts';

const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

function depthOf(value: unknown): number {
  return typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;
}

describe('isShallow', () => {
  it('counts levels of lists and objects, and nothing within texts', () => {
    expect(isShallow(Buffer.from(deep(32)))).toBe(true);
    expect(isShallow(Buffer.from(deep(33)))).toBe(false);
    expect(isShallow(Buffer.from(JSON.stringify(['['.repeat(99), '\\"[[', '\\'.repeat(3) + '{'.repeat(99)])))).toBe(true);
    expect(isShallow(Buffer.from(`"${'['.repeat(99)}`))).toBe(true);
  });

  it('agrees with the parsed value, for any JSON', () => {
    fc.assert(fc.property(fc.json({ maxDepth: 40 }), (json) => isShallow(Buffer.from(json)) === depthOf(JSON.parse(json)) <= 32));
  });
});

describe('batchOf', () => {
  it('refuses what nests deep before it is parsed, in a known field or not', () => {
    const line = lineOf({ ...heartbeat(), later: 'x' })
      .toString()
      .replace('"x"', deep(100_000));
    const refused = expect.objectContaining({ code: 'heartbeat_invalid', message: 'This nests deeper than a heartbeat.' });
    expect(() => batchOf(Buffer.from(line), 'identity', 'ndjson')).toThrow(refused);
    expect(() => batchOf(Buffer.from(line), 'identity', 'json')).toThrow(refused);
  });

  it('takes an instance in capitals as the same', () => {
    const beat = heartbeat();
    const [found] = batchOf(lineOf({ ...beat, instance: beat.instance.toUpperCase() }), 'identity', 'ndjson');
    expect(found?.instance).toBe(beat.instance);
  });
});
