import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { statusBecomes } from '../helpers/agent-life.ts';
import { AGENT, Bench, Running } from '../helpers/programs.ts';
import { type HostUnderTest, host, POLICIES, type Policy } from '../helpers/rotations.ts';
import { type Call, decisive, killAt, trace } from './strace.ts';

/*
 * A package is upgraded while a rotation is under way: the rotation is killed on either side of each of its writes to the keyring,
 * then the agent is ended, and another process takes its place, which knows only what is on disk. It must get its
 * heartbeats accepted at once, with no key lost, and `rotate` must go on from there. KILL_ALL=1 takes both sides of each.
 */

const missing = spawnSync('strace', ['-V']).status !== 0;
if (missing) process.stdout.write('Skipped: kills at system calls need strace (Debian: strace)\n');

const FAST = 'interval: 100ms\ncollectors: {inventory: false}\nlog: {format: json}\n';
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

async function start(target: HostUnderTest): Promise<void> {
  agent = new Running(AGENT, ['run', '--config', target.config]);
  await agent.said('"started"');
}

/** The calls on either side of each write to the keyring: the rename itself, and the next one that changes anything. */
function sides(calls: Call[]): Call[][] {
  const points = decisive(calls, bench.folder);
  const written = points.filter(({ text }) => text.startsWith('rename') && text.includes('keyring.json'));
  return written.map((call) => [call, points[points.indexOf(call) + 1]].filter((one) => one !== undefined));
}

/** What the agent may come to by itself, of the keys that the hub takes; none of these may be at the hub alone. */
async function noKeyIsLost(target: HostUnderTest): Promise<void> {
  const mine = [await target.configured(), ...target.kept];
  const alive = await target.alive();
  expect(alive.filter((one) => !mine.includes(one))).toEqual([]);
  expect(alive.length).toBeGreaterThan(0);
}

describe.skipIf(missing)('an upgrade in the middle of a rotation', () => {
  it.each(POLICIES)('under %s, at each state, leaves an agent that reports', { timeout: 0 }, async (policy: Policy) => {
    const target = await host(bench, `upgrade-${policy}`, policy, FAST);
    await start(target);
    const args = ['rotate', '--config', target.config];
    expect(await target.agent('rotate')).toMatchObject({ status: 0 });
    const { calls, done } = await trace(args, '', join(bench.folder, 'trace'));
    expect(done, done.stderr).toMatchObject({ how: 0 });
    const seen: string[] = [];
    let unsure = 0;
    for (const both of sides(calls)) {
      for (const call of process.env.KILL_ALL ? both : [both[randomInt(both.length)] as Call]) {
        const { how } = await killAt(call, args, '');
        const state = target.keyring?.rotation?.state ?? 'none';
        const where = `${call.name} ${call.number} (${how}) at ${state}`;
        seen.push(where);
        expect(await agent?.end(), where).toBe(0);
        await start(target);
        expect(await target.heartbeat(), where).toMatchObject({ kind: 'accepted' });
        const { key } = await statusBecomes(target.config, (status) => status.destinations[0]?.problem === null);
        // Only where a service ends the old key at once may the configuration have a dead one, and only of a request whose
        // answer was not written down can nobody tell without trying.
        if (policy !== 'immediate') expect(key.from, where).toBe('configuration');
        else if (state === 'STAGED' || state === 'PROVEN') expect(key.from, where).not.toBe('previous');
        if (policy === 'immediate' && state === 'INTENT') unsure += 1;
        await noKeyIsLost(target);
        expect(await target.agent('rotate'), where).toMatchObject({ status: 0 });
        expect(await target.heartbeat(), where).toMatchObject({ kind: 'accepted', fingerprint: await target.configured() });
        await noKeyIsLost(target);
      }
    }
    process.stdout.write(`${target.name}: ${seen.join('; ')}\n`);
    for (const state of ['INTENT', 'STAGED', 'PROVEN', 'COMMITTED']) if (process.env.KILL_ALL) expect(seen.join()).toContain(state);
    expect(await agent?.end()).toBe(0);
    const { refused, instances } = await target.show();
    const { 401: unauthorized = 0, ...others } = refused;
    expect(others).toEqual({});
    expect(unauthorized).toBeLessThanOrEqual(unsure);
    expect(instances).toMatchObject([{ first_sequence: 1, gaps: [], duplicates: 0 }]);
    await target.auditHolds();
  });
});
