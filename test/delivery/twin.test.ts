import { expect, it } from 'vitest';
import type { Outcome, StoredHeartbeat } from '../../src/delivery/heartbeats.ts';
import { Twin } from '../../src/delivery/twin.ts';

const batch = (...times: number[]): StoredHeartbeat[] =>
  times.map((time) => ({ instance: 'i', sequence: time, time, frame: new Uint8Array() }));
const accepted = (duplicates: number): Outcome => ({ kind: 'accepted', accepted: 1, duplicates });
const failed: Outcome = { kind: 'unavailable', reason: 'reset', detail: '' };

it('finds what the service had before it was ever sent', () => {
  const twin = new Twin();
  expect(twin.lost(batch(1), accepted(0), 0)).toBeUndefined();
  expect(twin.lost(batch(2), accepted(1), 0)).toEqual({ reason: 'number-taken', count: 1, from: 2, to: 2 });
  expect(twin.lost(batch(3, 4, 5, 6), accepted(3), 0)).toEqual({ reason: 'number-taken', count: 3, from: 3, to: 5 });
});

it.each([
  ['at the start, when the end of the process before may have eaten an answer', []],
  ['after a failure', [accepted(0), failed]],
  ['while a backlog of then is sent', [accepted(0), failed, accepted(0)]],
])('takes duplicates for what they may be %s', (_, before) => {
  const twin = new Twin();
  for (const outcome of before) twin.lost(batch(1), outcome, outcome === before.at(-1) ? 7 : 0);
  expect(twin.lost(batch(2), accepted(1), 0)).toBeUndefined();
  // Once all of that is through, they are not.
  expect(twin.lost(batch(3), accepted(1), 0)).toMatchObject({ count: 1 });
});
