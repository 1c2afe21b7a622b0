import { expect, it } from 'vitest';
import { Room } from '../../../src/hub/ingest/room.ts';

it('takes as much at once as it has room for, and the rest when that is done', async () => {
  const room = new Room(100);
  const first = Promise.withResolvers<string>();
  const held = room.hold(60, () => first.promise);
  const second = Promise.withResolvers<never>();
  const other = room.hold(40, () => second.promise);
  const busy = { status: 503, code: 'busy', headers: { 'retry-after': '5' } };
  await expect(room.hold(1, async () => 'never')).rejects.toMatchObject(busy);
  first.resolve('done');
  expect(await held).toBe('done');
  expect(await room.hold(60, async () => 'next')).toBe('next');
  second.reject(new Error('failed'));
  await expect(other).rejects.toThrow('failed');
  expect(await room.hold(100, async () => 'all')).toBe('all');
  await expect(room.hold(101, async () => 'never')).rejects.toMatchObject(busy);
});
