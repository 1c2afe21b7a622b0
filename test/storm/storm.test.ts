import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createWorld } from '../../src/cli/agent/rotate-world.ts';
import { Rotation } from '../../src/rotation/rotation.ts';
import { lines, statusBecomes, statusOf } from '../helpers/agent-life.ts';
import { AGENT, Bench, Running } from '../helpers/programs.ts';
import { host, POLICIES, type Policy } from '../helpers/rotations.ts';

/*
 * Rotations without a pause under heartbeats without a pause: by the code of `scout-agent rotate`, of an agent that samples
 * 200 times a second, under each policy. Not one heartbeat may be lost, doubled or refused. STORM_ROTATIONS says how many
 * in all; 10,000 take an hour or two.
 */

const ROTATIONS = Number(process.env.STORM_ROTATIONS ?? (process.env.CI ? 510 : 10_000));
const EACH = Math.ceil(ROTATIONS / POLICIES.length);
/** The counters of one core and of the memory in each: what is tested is the way of a heartbeat, not its size. */
const QUIET = ['disk', 'filesystem', 'inventory', 'network', 'pressure', 'processes', 'sockets', 'swap', 'thermal', 'vmstat'];
const FAST = `interval: 5ms\nlog: {format: json}\ncollectors: {${QUIET.map((name) => `${name}: false`).join(', ')}}\n`;

let bench: Bench;
let agent: Running | undefined;
beforeAll(async () => {
  bench = new Bench();
  await bench.startHub();
});
afterEach(async () => {
  if (agent?.child.exitCode === null && agent.child.signalCode === null) await agent.end('SIGKILL');
});
afterAll(() => bench.close());

it.each(POLICIES)(`${EACH} rotations lose, double and refuse nothing, policy %s`, { timeout: 0 }, async (policy: Policy) => {
  const target = await host(bench, `storm-${policy}`, policy, FAST);
  agent = new Running(AGENT, ['run', '--config', target.config]);
  await agent.said('"started"');
  const pid = agent.child.pid as number;
  await statusBecomes(target.config, ({ last_accepted }) => (last_accepted?.sequence ?? 0) > 100);

  const began = performance.now();
  const seen = new Set<string>();
  let early = holds(pid);
  for (let done = 1; done <= EACH; done += 1) {
    const world = await createWorld({ config: target.config }, () => {});
    world.lock.acquire();
    try {
      const { to } = await new Rotation(world, 'storm').rotate(
        { acceptGap: false },
        { retireNow: done % 3 === 0 && policy !== 'immediate' },
      );
      seen.add(to);
    } finally {
      world.lock.release();
    }
    if (done === Math.ceil(EACH / 10)) early = holds(pid);
    if (done % 100 === 0) process.stdout.write(`${policy}: ${done} rotations, ${speed(done, began)}\n`);
  }
  const took = speed(EACH, began);
  expect(seen.size).toBe(EACH);

  // The same process, no larger than it was after a tenth of them.
  const status = await statusBecomes(
    target.config,
    ({ outbox, destinations }) => outbox.depth < 50 && destinations.every((one) => !one.problem),
  );
  expect([status.pid, agent.child.exitCode]).toEqual([pid, null]);
  expect(await target.heartbeat()).toMatchObject({ kind: 'accepted' });
  const late = holds(pid);
  expect(late.files).toBeLessThanOrEqual(early.files + 3);
  // What was replaced lies there until the collector's next round.
  await expect.poll(() => holds(pid).memory / early.memory, { timeout: 60_000, interval: 500 }).toBeLessThan(1.3);

  // Host and hub agree on the keys.
  const configured = await target.configured();
  expect((await statusOf(target.config)).key.fingerprint).toBe(configured);
  expect(target.keyring).toMatchObject({ current: { fingerprint: configured }, next: null });
  const { keys } = await target.show();
  expect(keys.filter(({ slot }) => slot === 'current').map(({ fingerprint }) => fingerprint)).toEqual([configured]);
  for (const fingerprint of await target.alive()) expect(target.kept).toContain(fingerprint);
  await target.auditHolds();

  expect(await agent.end('SIGTERM')).toBe(0);
  const left = JSON.parse((await target.agent('outbox', 'stats', '--json')).stdout);
  const { instances, refused } = await target.show();
  process.stdout.write(
    `${policy}: ${EACH} rotations (${took}), refused ${JSON.stringify(refused)}, ${JSON.stringify(instances)}, ${left.depth} left; at a tenth ${JSON.stringify(early)}, at the end ${JSON.stringify(late)}, now ${JSON.stringify(left.next_sequence)} next\n`,
  );
  expect(refused).toEqual({});
  // The hub cannot tell whose a dead key was: that none was refused, the agent itself knows.
  expect(lines(agent.output).filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
  expect(instances).toHaveLength(1);
  expect(instances[0]).toMatchObject({ first_sequence: 1, duplicates: 0, gaps: [] });
  expect(instances[0]?.accepted).toBe(instances[0]?.last_sequence);
  expect((instances[0]?.last_sequence ?? 0) + left.depth).toBe(left.next_sequence - 1);
});

const speed = (count: number, began: number): string => `${((count * 1_000) / (performance.now() - began)).toFixed(2)} a second`;

/** Kilobytes of private memory, and open descriptors but those of other processes' files. */
function holds(pid: number): { memory: number; files: number } {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
  const memory = [...rollup.matchAll(/^Private_\w+:\s+(\d+) kB/gm)].reduce((sum, [, kilobytes]) => sum + Number(kilobytes), 0);
  return { memory, files: readdirSync(`/proc/${pid}/fd`).length };
}
