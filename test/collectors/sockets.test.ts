import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Files } from '../../src/collectors/files.ts';
import { sockets } from '../../src/collectors/sockets.ts';
import type { Metric } from '../../src/protocol/heartbeat.ts';
import { fixture, fixtureHost } from '../helpers/fixture-host.ts';

const folder = mkdtempSync(join(os.tmpdir(), 'scout-sockets-'));
cpSync(fixture('rhel-8', 'proc/1'), join(folder, '1'), { recursive: true });
afterAll(() => rmSync(folder, { recursive: true }));

const line = '   0: 0100007F:1F90 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0';

describe('sockets', () => {
  it('counts the states at most once a minute, and the cheap counters each time', () => {
    let now = 0;
    const files = new Files();
    const collector = sockets.create(fixtureHost('rhel-8', { proc: folder, monotonic: () => now }), { enabled: true }, files);
    const established = (): number => {
      files.next();
      const states = (collector.collect() as Metric[]).find(({ name }) => name === 'system.network.connection.count');
      return states?.points.find((point) => point[1] === 'established')?.[2] as number;
    };
    expect(established()).toBe(3);
    writeFileSync(join(folder, '1/net/tcp'), `head\n${`${line}\n`.repeat(50)}`);
    now = 59_999;
    expect(established()).toBe(3);
    now = 60_000;
    expect(established()).toBe(51);
    files.close();
  });

  it('stops at its limit of bytes and says so', () => {
    writeFileSync(join(folder, '1/net/tcp'), `head\n${`${line}\n`.repeat(50_000)}`);
    const files = new Files();
    const metrics = sockets.create(fixtureHost('rhel-8', { proc: folder }), { enabled: true }, files).collect() as Metric[];
    expect(metrics.find(({ name }) => name === 'scout.tcp.states_cut')?.points).toEqual([[1]]);
    files.close();
  });
});
