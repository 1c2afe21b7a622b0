import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AGENT, Bench, Running } from '../helpers/programs.ts';
import { type HostUnderTest, host, POLICIES } from '../helpers/rotations.ts';
import { type Call, failAt, trace } from './strace.ts';

/*
 * The disk is full, or fails, at one of the calls by which `rotate` changes a file: keyring, audit log, lock, configuration.
 * It must say so or go on, the agent must have a heartbeat accepted at once, no key may be lost, and the same command must
 * finish what was begun. KILL_ALL=1 takes every call, KILL_STRIDE every n-th, under all policies; else the one where most can be lost.
 */

const STRIDE = Number(process.env.KILL_STRIDE ?? (process.env.KILL_ALL ? 1 : 16));
const policies = process.env.KILL_STRIDE || process.env.KILL_ALL ? POLICIES : (['immediate'] as const);
const missing = spawnSync('strace', ['-V']).status !== 0;
if (missing) process.stdout.write('Skipped: failing system calls need strace (Debian: strace)\n');

const bench = new Bench();
let agent: Running | undefined;
beforeAll(async () => {
  process.env.SCOUT_HOST_KEY_FILE = join(bench.folder, 'host.key');
  await bench.startHub();
});
afterEach(async () => {
  if (agent?.child.exitCode === null) await agent.end();
});
afterAll(async () => {
  await bench.close();
  delete process.env.SCOUT_HOST_KEY_FILE;
});

/**
 * Calls that need room or a disk that works, on files of ours: those that nothing else in the process makes, so that the
 * n-th is the same one each time.
 */
function changing(calls: Call[]): Call[] {
  return calls.filter(({ name, text }) => text.includes(bench.folder) && /^(fsync|rename|fchmod|fchown|ftruncate|linkat)/.test(name));
}

async function agrees(target: HostUnderTest): Promise<void> {
  expect(await target.heartbeat()).toMatchObject({ kind: 'accepted' });
  const mine = [await target.configured(), ...target.kept];
  const alive = await target.alive();
  expect(alive.filter((one) => !mine.includes(one))).toEqual([]);
  expect(alive.length).toBeGreaterThan(0);
}

describe.skipIf(missing)('rotate, on a disk that is full', () => {
  it.each(policies)('at one of its writes, under %s, loses no key, and goes on', { timeout: 0 }, async (policy) => {
    const target = await host(bench, `full-${policy}`, policy, 'interval: 200ms\ncollectors: {inventory: false}\nlog: {format: json}\n');
    agent = new Running(AGENT, ['run', '--config', target.config]);
    await agent.said('"started"');
    const args = ['rotate', '--config', target.config];
    expect(await target.agent('rotate')).toMatchObject({ status: 0 });
    const { calls, done } = await trace(args, '', join(bench.folder, 'trace'));
    expect(done, done.stderr).toMatchObject({ how: 0 });
    const points = changing(calls);
    expect(points.length).toBeGreaterThan(25);
    const from = randomInt(Math.min(STRIDE, points.length));
    const told: string[] = [];
    for (const call of points.filter((_, index) => index % STRIDE === from)) {
      const error = call.name === 'fsync' ? 'EIO' : 'ENOSPC';
      const { how, stderr } = await failAt(call, error, args);
      const where = `${error} at ${call.text.slice(0, 200)} (${how}, ${target.keyring?.rotation?.state ?? 'none'}): ${stderr}`;
      told.push(`${call.name} ${call.number}: ${how} ${/error (\w+)/.exec(stderr)?.[1] ?? ''}`);
      try {
        expect(stderr).not.toMatch(/INTERNAL|\n\s+at /);
        await agrees(target);
        expect(await target.agent('rotate')).toMatchObject({ status: 0 });
        await agrees(target);
        expect((await target.heartbeat()).fingerprint).toBe(await target.configured());
        await target.auditHolds();
      } catch (fault) {
        (fault as Error).message = `${where}\n${(fault as Error).message}`;
        throw fault;
      }
    }
    process.stdout.write(`${target.name}: ${points.length} calls, from the ${from + 1}th: ${told.join('; ')}\n`);
    const { refused, instances } = await target.show();
    // Of each that fell into the gap between the two keys, at most one batch.
    expect(refused['401'] ?? 0).toBeLessThanOrEqual(policy === 'immediate' ? 2 * told.length : 0);
    for (const { gaps, duplicates } of instances) expect({ gaps, duplicates }).toEqual({ gaps: [], duplicates: 0 });
  });
});
