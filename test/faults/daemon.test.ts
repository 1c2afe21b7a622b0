import { globSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ask } from '../../src/agent/control-client.ts';
import { count, statusBecomes } from '../helpers/agent-life.ts';
import { hungMountMissing, mountHung } from '../helpers/hung-mount.ts';
import { AGENT, Bench, Running } from '../helpers/programs.ts';

/* The running agent through an outage, a clock that is set, a dead mount, and a great many reloads. */

const RELOADS = Number(process.env.SCOUT_RELOADS ?? 40);
const FAST = 'interval: 20ms\ncollectors: {inventory: false}\nlog: {format: json}\n';
const bench = new Bench();
const running: Running[] = [];
let names = 0;

beforeAll(() => bench.startHub());
afterEach(async () => {
  for (const one of running.splice(0)) if (one.child.exitCode === null && one.child.signalCode === null) await one.end('SIGKILL');
});
afterAll(() => bench.close());

async function start(more = FAST, env = process.env) {
  const name = `host-${++names}`;
  const { key } = await bench.addServer(name);
  const config = bench.configure(name, key, more);
  const one = new Running(AGENT, ['run', '--config', config], env);
  running.push(one);
  await one.said('"started"');
  return { name, config, one, pid: one.child.pid as number, socket: join(bench.folder, `${name}-state`, 'run', 'control.sock') };
}

/** The last number that the service has. */
const reaches = (config: string, sequence: number) =>
  statusBecomes(config, ({ last_accepted, outbox }) => (last_accepted?.sequence ?? 0) >= sequence && outbox.depth < 5);

/** Kilobytes of private memory, and open descriptors but those of other processes' files: these come and go with them. */
function holds(pid: number): { memory: number; files: number } {
  const memory = Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
  const folder = `/proc/${pid}/fd`;
  return { memory, files: readdirSync(folder).filter((fd) => !/^\/proc\/\d+\//.test(target(join(folder, fd)))).length };
}

/** Where a descriptor leads; nowhere when it was closed meanwhile. */
function target(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '/proc/0/gone';
  }
}

/** That the service holds every heartbeat, each once. (One whose answer was cut off is sent again, and not stored again.) */
async function hasAll(name: string): Promise<void> {
  const { instances } = await bench.show(name);
  expect(instances).toMatchObject([{ first_sequence: 1, gaps: [] }]);
  expect(instances[0]?.accepted).toBe(instances[0]?.last_sequence);
}

it('delivers everything once after an outage, and writes two lines about it', async () => {
  const { name, config, one } = await start();
  await reaches(config, 1);
  await bench.hub?.end('SIGKILL');
  await statusBecomes(config, ({ outbox }) => outbox.depth >= 400);
  await bench.startHub();
  await reaches(config, 400);
  expect(await one.end()).toBe(0);
  await hasAll(name);
  expect(count(one.output, 'heartbeats cannot be delivered')).toBe(1);
  expect(count(one.output, 'heartbeats are delivered again')).toBe(1);
  expect(count(one.output, '\n')).toBeLessThan(10);
});

it(`${RELOADS} reloads leave no descriptor open, keep no memory and lose no heartbeat`, { timeout: 600_000 }, async () => {
  const { name, config, one, pid, socket } = await start();
  const reload = async () => expect(await ask(socket, { command: 'reload' }, 20_000)).toMatchObject({ ok: true });
  for (let warm = 0; warm < 5; warm += 1) await reload();
  await reaches(config, 500);
  const before = holds(pid);
  for (let done = 0; done < RELOADS; done += 1) await reload();
  await reaches(config, 1_000);
  const after = holds(pid);
  process.stdout.write(`before ${RELOADS} reloads ${JSON.stringify(before)}, after ${JSON.stringify(after)}\n`);
  expect(after.files).toBeLessThanOrEqual(before.files + 2);
  // What a reload leaves behind lies there until the collector's next round; what is kept for good never goes.
  await expect.poll(() => holds(pid).memory, { timeout: 60_000, interval: 250 }).toBeLessThan(before.memory + 3_000);
  expect(await one.end()).toBe(0);
  await hasAll(name);
});

const faketime = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')[0];
if (!faketime) process.stdout.write('Skipped: the clock cannot be set here without libfaketime (Debian: faketime)\n');

describe.skipIf(!faketime)('a wall clock', () => {
  it.each([
    ['back', -3_600],
    ['forward', 7_200],
  ])('that is set %s by hours is reported and stops nothing', { timeout: 60_000 }, async (_, seconds) => {
    const clock = join(bench.folder, `clock-${seconds}`);
    writeFileSync(clock, '+0');
    const { name, config, one } = await start(FAST.replace('20ms', '200ms'), {
      ...process.env,
      LD_PRELOAD: faketime,
      FAKETIME_TIMESTAMP_FILE: clock,
      FAKETIME_NO_CACHE: '1',
      DONT_FAKE_MONOTONIC: '1',
    });
    const { last_accepted: last } = await reaches(config, 3);
    writeFileSync(clock, `${seconds > 0 ? '+' : ''}${seconds}`);
    await one.said('the wall clock was set');
    const set = await reaches(config, (last?.sequence ?? 0) + 10);
    expect(Math.abs(Date.parse(set.last_sampled?.time ?? '') - Date.now() - seconds * 1_000)).toBeLessThan(60_000);
    expect(count(one.output, 'the wall clock was set')).toBe(1);
    expect(await one.end()).toBe(0);
    await hasAll(name);
  });
});

const missing = hungMountMissing();
if (missing) process.stdout.write(`Skipped: a mount that hangs: ${missing}\n`);

describe.skipIf(missing !== undefined)('a mount that hangs', () => {
  it('is named, delays no heartbeat, and does not hold up the end', async () => {
    const mount = mountHung();
    try {
      const { name, config, one } = await start(FAST.replace('20ms', '200ms'));
      const { collectors, process: cost } = await reaches(config, 10);
      expect(collectors.find((each) => each.name === 'filesystem')).toMatchObject({
        state: 'stale',
        detail: `no answer from ${mount.path}`,
      });
      expect(cost.private).toBeGreaterThan(0);
      expect(await one.end()).toBe(0);
      expect(one.output).toContain('"stopped"');
      await hasAll(name);
    } finally {
      mount.release();
    }
  });
});
