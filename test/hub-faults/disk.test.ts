import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SqliteStore } from '../../src/hub/store/sqlite-store.ts';
import { AGENT, Bench, HUB, Running, run } from '../helpers/programs.ts';
import { mountSmallDisk } from '../helpers/small-disk.ts';
import { Fleet } from './fleet.ts';

const CLIENTS = 8;

const bench = new Bench();
const disk = join(bench.folder, 'disk');

const reason = mountSmallDisk(disk, 48);
if (reason) process.stdout.write(`Skipped: ${reason}\n`);

describe.skipIf(reason !== undefined)('a hub whose disk is full', () => {
  beforeAll(() => {
    Object.assign(bench, { data: join(disk, 'hub') });
    return bench.startHub();
  });
  afterAll(async () => {
    await bench.hub?.end('SIGKILL');
    execFileSync('umount', ['-l', disk], { stdio: 'pipe' });
    await bench.close();
  });

  /** Takes all that is free, and what becomes free meanwhile. */
  function fill(file: string): void {
    for (const size of [2 ** 20, 4_096, 512]) {
      try {
        for (;;) writeFileSync(file, Buffer.alloc(size), { flag: 'a' });
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
      }
    }
  }

  it('says so, loses nothing, and takes all once there is room', async () => {
    const store = SqliteStore.open(bench.data);
    const fleet = new Fleet(bench.port, bench.ca);
    await fleet.register(store, CLIENTS);
    await store.close();
    const { key } = await bench.addServer('real');
    const config = bench.configure('real', key, 'interval: 100ms\ncollectors: {inventory: false}\nlog: {format: json}\n');
    const agent = new Running(AGENT, ['run', '--config', config]);
    await agent.said('"started"');
    fleet.start(5);
    await fleet.more(5 * CLIENTS);

    const ballast = join(disk, 'ballast');
    fill(ballast);
    while (fleet.problems.length < 20 * CLIENTS) {
      // Pages that the journal still has are used up by and by.
      fill(ballast);
      await delay(100);
    }
    const [problem, ...others] = [...new Set(fleet.problems.map((one) => JSON.stringify(one)))];
    expect(JSON.parse(problem as string)).toEqual({
      status: 507,
      type: 'application/problem+json',
      code: 'storage_full',
      detail: 'The disk of the hub is full.',
      retryAfter: '10',
    });
    expect(others).toEqual([]);
    expect(bench.hub?.child.exitCode).toBeNull();
    const failures = bench.hub?.output.match(/heartbeats could not be stored/g) ?? [];
    expect([1, 2]).toContain(failures.length);

    rmSync(ballast);
    await fleet.more(5 * CLIENTS);
    await fleet.stop();
    // The agent, too, comes again, and has kept what it could not send.
    let left = { depth: -1, next_sequence: 0, instance: '' };
    while (left.depth < 0 || left.depth > 5) {
      await delay(250);
      const asked = await run(AGENT, ['status', '--json', '--config', config]);
      if (asked.status === 0) left = { ...left, ...JSON.parse(asked.stdout).outbox };
    }
    await agent.end();
    left = JSON.parse((await run(AGENT, ['outbox', 'stats', '--json', '--config', config])).stdout);
    const { instances } = await bench.show('real');
    const { last_sequence: last, accepted, gaps } = instances[0] ?? { last_sequence: -1, accepted: 0, gaps: [] };
    expect({ instances: instances.length, accepted, gaps }).toEqual({ instances: 1, accepted: last, gaps: [] });
    expect(last + left.depth).toBe(left.next_sequence - 1);

    expect(await bench.hub?.end()).toBe(0);
    const after = SqliteStore.open(bench.data);
    await fleet.verify(after);
    await after.close();
    expect((await run(HUB, ['server', 'list', '--data', bench.data])).status).toBe(0);
  });
});
