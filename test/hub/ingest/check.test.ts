import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explain, isHeartbeat } from '../../../src/hub/ingest/check.ts';
import { heartbeatSchema } from '../../../src/protocol/heartbeat.ts';
import { heartbeat } from '../helpers.ts';

/** Values that lie at an edge of some rule of the schema. */
const odd = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    undefined,
    true,
    '',
    'x',
    0,
    1,
    -1,
    1.5,
    2 ** 53,
    Number.POSITIVE_INFINITY,
    Number.NaN,
    [],
    {},
    [[]],
    [1],
    ['a', 1],
  ),
  fc.integer({ min: 0, max: 3_000 }).map((length) => 'x'.repeat(length)),
  fc.constantFrom(63, 64, 65, 255, 256, 1_024, 1_025).map((length) => 'é'.repeat(length)),
  fc.constantFrom(32, 33, 34, 2_000, 2_001, 20_000, 20_001).map((length) => Array(length).fill('a')),
  fc.constantFrom(32, 33, 34).map((length) => [Array(length).fill(1)]),
  fc.constantFrom(604_800, 604_801, 1e308, 5e-324),
  fc.constantFrom('gauge', 'counter', 'updowncounter', 'histogram'),
  fc.uuid(),
  fc.uuid().map((id) => id.toUpperCase()),
  fc.constantFrom('00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '01234567-89ab-0def-8123-456789abcdef'),
  fc.jsonValue(),
);

const PLACES = [
  ['v'],
  ['instance'],
  ['sequence'],
  ['time'],
  ['interval'],
  ['agent'],
  ['agent', 'version'],
  ['host'],
  ['host', 'name'],
  ['host', 'boot_time'],
  ['inventory'],
  ['inventory', 'cpu'],
  ['metrics'],
  ['metrics', 0],
  ['metrics', 0, 'name'],
  ['metrics', 0, 'unit'],
  ['metrics', 0, 'type'],
  ['metrics', 0, 'attributes'],
  ['metrics', 0, 'attributes', 0],
  ['metrics', 0, 'points'],
  ['metrics', 0, 'points', 0],
  ['metrics', 0, 'points', 1, 0],
  ['metrics', 0, 'points', 1, 1],
  ['more'],
];

function put(target: Record<string | number, unknown>, [name, ...rest]: (string | number)[], value: unknown): void {
  if (rest.length === 0) target[name as string] = value;
  else if (target[name as string] instanceof Object) put(target[name as string] as Record<string, unknown>, rest, value);
}

describe('isHeartbeat', () => {
  it('takes what an agent sends', () => expect(isHeartbeat(heartbeat({ inventory: { cpu: 'x', cores: 4, virtual: false } }))).toBe(true));

  it('agrees with the schema on every value, and explains what fails', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...PLACES), odd), { minLength: 1, maxLength: 2 }), (edits) => {
        const value = structuredClone(heartbeat({ inventory: { cpu: 'x' } })) as unknown as Record<string, unknown>;
        for (const [place, replacement] of edits) put(value, place, replacement);
        const fits = heartbeatSchema.safeParse(value).success;
        expect(isHeartbeat(value)).toBe(fits);
        if (!fits) expect(explain(value)).toMatch(/: /);
      }),
      { numRuns: 1_500 },
    );
  });

  it('refuses an interval that nobody could miss a heartbeat by', () => {
    expect(isHeartbeat(heartbeat({ interval: 604_800 }))).toBe(true);
    expect(isHeartbeat(heartbeat({ interval: 604_801 }))).toBe(false);
  });

  it.each([[null], [1], ['x'], [[]], [{}]])('refuses %j', (value) => expect(isHeartbeat(value)).toBe(false));

  it('names the place that fails', () => {
    const value = heartbeat();
    value.metrics[0]?.points.push([true as unknown as number]);
    expect(explain(value)).toMatch(/^metrics\[0\]\.points\[2\]\[0\]: /);
  });
});
