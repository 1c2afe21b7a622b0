import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { Files } from '../../src/collectors/files.ts';
import { processes } from '../../src/collectors/processes.ts';
import type { Metric } from '../../src/protocol/heartbeat.ts';
import { fixtureHost } from '../helpers/fixture-host.ts';

const folder = mkdtempSync(join(os.tmpdir(), 'scout-processes-'));
afterAll(() => rmSync(folder, { recursive: true }));

const KERNEL = 0x200000;
let now = 0;
const host = () => fixtureHost('rhel-8', { proc: folder, monotonic: () => now });

function put(pid: number, name: string, ticks: number, { state = 'S', flags = 0, start = 100, pages = 10 } = {}) {
  mkdirSync(join(folder, String(pid)), { recursive: true });
  const text = `${pid} (${name}) ${state} 1 1 1 0 -1 ${flags} 0 0 0 0 ${ticks} 0 0 0 20 0 1 0 ${start} 4096 ${pages} 0\n`;
  writeFileSync(join(folder, String(pid), 'stat'), text);
}

const points = (metrics: Metric[], name: string) => metrics.find((metric) => metric.name === name)?.points ?? [];
const named = (metrics: Metric[]) => [...new Set(points(metrics, 'process.cpu.time').map((point) => point[1]))];

function collector(top: number) {
  const files = new Files();
  const made = processes.create(host(), { enabled: true, top }, files);
  return () => {
    files.next();
    return made.collect() as Metric[];
  };
}

beforeEach(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'sys'), { recursive: true });
  writeFileSync(join(folder, 'stat'), 'cpu  0 0 0 0\nprocesses 7\nprocs_running 1\nprocs_blocked 0\n');
  writeFileSync(join(folder, 'uptime'), '1000.00 1000.00\n');
  now = 0;
});

describe('processes', () => {
  it('ranks by processor time since the sample before, and by memory', () => {
    put(1, 'old-and-busy', 90_000, { pages: 0 });
    put(2, 'woke-up', 10, { pages: 0 });
    put(3, 'large', 0, { pages: 1_000 });
    const collect = collector(1);
    expect(named(collect())).toEqual(['old-and-busy', 'large']);
    put(2, 'woke-up', 500, { pages: 0 });
    now = 10_000;
    expect(named(collect())).toEqual(['woke-up', 'large']);
  });

  it('no longer ranks what has rested since the sample before, and does again once it works', () => {
    put(1, 'steady', 10, { pages: 0 });
    put(2, 'by turns', 90_000, { pages: 0 });
    const collect = collector(1);
    expect(named(collect())).toEqual(['by turns']);
    const sampled = (ticks: { steady: number; turns: number }) => {
      now += 10_000;
      put(1, 'steady', ticks.steady, { pages: 0 });
      put(2, 'by turns', ticks.turns, { pages: 0 });
      return named(collect());
    };
    expect(sampled({ steady: 20, turns: 90_000 })).toEqual(['steady']);
    expect(sampled({ steady: 20, turns: 90_000 })).toEqual([]);
    expect(sampled({ steady: 30, turns: 90_100 })).toEqual(['by turns']);
    expect(sampled({ steady: 40, turns: 90_100 })).toEqual(['steady']);
  });

  it('reads what has long rested with every second sample, and each sample again once it moved', () => {
    put(1, 'watched', 10, { pages: 0 });
    const collect = collector(1);
    const ticks = () => {
      now += 10_000;
      return points(collect(), 'process.cpu.time')[0]?.[3];
    };
    collect();
    for (let sample = 0; sample < 20; sample++) expect(ticks()).toBeUndefined();
    put(1, 'watched', 110, { pages: 0 });
    const first = ticks();
    // Its next reading comes with this sample or with the one after.
    expect(first ?? ticks()).toBe(1.1);
    for (const [used, told] of [
      [210, 2.1],
      [310, 3.1],
      [410, 4.1],
    ] as const) {
      put(1, 'watched', used, { pages: 0 });
      expect(ticks()).toBe(told);
    }
  });

  it('does not take a new process for the one whose number it has', () => {
    put(2, 'first', 50_000);
    put(3, 'other', 0);
    const collect = collector(1);
    collect();
    put(2, 'second', 10, { start: 99_990 });
    put(3, 'other', 900);
    now = 10_000;
    expect(named(collect())[0]).toBe('other');
  });

  it('forgets what ended', () => {
    put(1, 'init', 1);
    put(2, 'gone', 1);
    const collect = collector(0);
    expect(points(collect(), 'system.process.count')).toContainEqual(['sleeping', 2]);
    rmSync(join(folder, '2'), { recursive: true });
    expect(points(collect(), 'system.process.count')).toContainEqual(['sleeping', 1]);
  });

  it('reads a thread of the kernel in one sample of six', () => {
    put(6, 'kswapd0', 1, { flags: KERNEL, state: 'S' });
    const collect = collector(1);
    collect();
    put(6, 'kswapd0', 900, { flags: KERNEL, state: 'R' });
    const seen = [2, 3, 4, 5, 6].map(() =>
      points(collect(), 'system.process.count').some(([state, count]) => state === 'running' && count === 1),
    );
    expect(seen).toEqual([false, false, false, false, true]);
  });

  it('names none when top is 0, and no memory of the kernel', () => {
    put(1, 'init', 1);
    put(6, 'kthreadd', 500, { flags: KERNEL });
    expect(collector(0)().map(({ name }) => name)).not.toContain('process.cpu.time');
    const metrics = collector(5)();
    expect(named(metrics)).toContain('kthreadd');
    expect(points(metrics, 'process.memory.usage').map((point) => point[1])).toEqual(['init']);
  });
});
