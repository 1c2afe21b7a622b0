import { describe, expect, it } from 'vitest';
import { snapshotOf } from '../../../src/hub/pages/snapshot.ts';
import type { Metric, Point } from '../../../src/protocol/heartbeat.ts';
import { FakeHost, incoming } from '../../pages/fleet-data.ts';

const GIB = 2 ** 30;
const attributes = ['process.pid', 'process.executable.name'];
const cpu = (...points: Point[]): Metric => ({
  name: 'process.cpu.time',
  unit: 's',
  type: 'counter',
  attributes: [...attributes, 'cpu.mode'],
  points,
});
const memory = (...points: Point[]): Metric => ({ name: 'process.memory.usage', unit: 'By', type: 'updowncounter', attributes, points });

/** A store whose window holds these heartbeats, ten seconds apart. */
function storeOf(...more: Metric[][]) {
  const host = new FakeHost('web-1');
  const beats = more.map((metrics, i) => {
    const beat = host.beat(100_000 + i * 10_000);
    beat.metrics.push(...metrics);
    return { time: beat.time, frame: incoming(beat).frame };
  });
  const recent = async (_id: string, from: number, to: number) => beats.filter(({ time }) => time >= from && time < to);
  return { store: { recent, rollups: async () => [] }, last: beats.at(-1)?.time ?? 0 };
}
const of = ({ store, last }: ReturnType<typeof storeOf>) => snapshotOf(store, 'id', last, 10);

describe('the latest heartbeats in tables', () => {
  it('tell file systems, the fullest first, with inodes and what is wrong', async () => {
    const mount = ['system.filesystem.mountpoint'];
    const inodes: Metric = {
      name: 'scout.filesystem.inodes',
      unit: '{inode}',
      type: 'updowncounter',
      attributes: [...mount, 'system.filesystem.state'],
      points: [
        ['/', 'used', 25],
        ['/', 'free', 75],
      ],
    };
    const readonly: Metric = {
      name: 'scout.filesystem.readonly',
      unit: '1',
      type: 'gauge',
      attributes: mount,
      points: [
        ['/', 0],
        ['/boot', 1],
      ],
    };
    const { fileSystems } = await of(storeOf([], [inodes, readonly]));
    expect(fileSystems.map((one) => one.mount)).toEqual(['/', '/var/lib/postgresql', '/boot']);
    expect(fileSystems[0]).toMatchObject({ type: 'ext4', size: 60 * GIB, inodes: 25, note: null });
    expect(fileSystems[0]?.share).toBeCloseTo(42);
    expect(fileSystems[2]).toMatchObject({ inodes: null, note: 'read-only' });
  });

  it('tell processes by what they used between two readings, and by their memory', async () => {
    const { processes } = await of(
      storeOf(
        [cpu(['1', 'init', 'user', 5], ['1', 'init', 'system', 1], ['7', 'gone', 'user', 1])],
        [
          cpu(['1', 'init', 'user', 9], ['1', 'init', 'system', 2], ['8', 'new', 'user', 1]),
          memory(['1', 'init', GIB], ['9', 'idle', 2 * GIB]),
        ],
      ),
    );
    expect(processes).toEqual([
      { pid: '1', name: 'init', cpu: 50, memory: GIB },
      { pid: '9', name: 'idle', cpu: null, memory: 2 * GIB },
    ]);
  });

  it('are empty where nothing was told', async () => {
    expect(await snapshotOf({ recent: async () => [], rollups: async () => [] }, 'id', 100_000, 10)).toEqual({
      fileSystems: [],
      processes: [],
    });
  });
});
