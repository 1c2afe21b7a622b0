import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AGENT, Bench, Running, run } from '../helpers/programs.ts';
import { type HostUnderTest, host, type Policy } from '../helpers/rotations.ts';
import { type Call, decisive, killAt, trace } from './strace.ts';

/*
 * `scout-agent rotate` is killed before each system call that matters. At once, and with nobody's help, the agent must have a
 * heartbeat accepted, and every key that the hub takes must be on this host; then the same command again must finish what
 * was begun, though it is killed once more. KILL_ALL=1 takes every call, KILL_STRIDE every n-th.
 */

const STRIDE = Number(process.env.KILL_STRIDE ?? (process.env.KILL_ALL ? 1 : 53));
/** A hold whose owner was killed lapses by itself, after a minute: here sooner, though later than a rotation takes. */
const HOLD_MS = '4000';
const missing = spawnSync('strace', ['-V']).status !== 0;
if (missing) process.stdout.write('Skipped: kills at system calls need strace (Debian: strace)\n');

type Format = 'agent.env' | 'config.yml' | 'config.toml';
type Source = '--self' | '--mint' | '--new-key-stdin';

const bench = new Bench();
let agent: Running | undefined;
beforeAll(async () => {
  process.env.SCOUT_HOLD_MS = HOLD_MS;
  process.env.SCOUT_HOST_KEY_FILE = join(bench.folder, 'host.key');
  await bench.startHub();
});
afterEach(async () => {
  if (agent?.child.exitCode === null) await agent.end();
});
afterAll(async () => {
  await bench.close();
  delete process.env.SCOUT_HOLD_MS;
  delete process.env.SCOUT_HOST_KEY_FILE;
});

const texts: Record<Format, (settings: { state: string; key: string; endpoint: string; ca: string }) => string> = {
  'agent.env': ({ state, key, endpoint, ca }) =>
    `SCOUT_STATE_DIR=${state}\nSCOUT_RUNTIME_DIR=${state}/run\nSCOUT_TLS_CA_FILE=${ca}\nSCOUT_API_ENDPOINT=${endpoint}\nSCOUT_API_KEY='${key}' \nSCOUT_INTERVAL=200ms\nSCOUT_LOG_FORMAT=json\n`,
  'config.yml': ({ state, key, endpoint, ca }) =>
    `api: {endpoint: '${endpoint}', key: "${key}"} # ours\ntls: {ca_file: ${ca}}\nstate_dir: ${state}\nruntime_dir: ${state}/run\ninterval: 200ms\nlog: {format: json}\n`,
  'config.toml': ({ state, key, endpoint, ca }) =>
    `interval = "200ms"\nstate_dir = '${state}'\nruntime_dir = '${state}/run'\n[api]\nendpoint = "${endpoint}"\nkey = '${key}' # k\n[tls]\nca_file = "${ca}"\n[log]\nformat = "json"\n`,
};

/** A host with its agent running; the value in TOML is a sealed one. */
async function start(name: string, policy: Policy, format: Format): Promise<HostUnderTest> {
  const target = await host(bench, name, policy);
  const config = join(bench.folder, `${name}-${format}`);
  const settings = { state: target.state, key: target.key, endpoint: bench.endpoint, ca: join(bench.data, 'ca.pem') };
  writeFileSync(config, texts[format](settings), { mode: 0o600 });
  Object.assign(target, { config });
  if (format === 'config.toml') expect(await target.agent('encrypt-value', '--in-place')).toMatchObject({ status: 0 });
  agent = new Running(AGENT, ['run', '--config', config]);
  await agent.said('"started"');
  await heartbeatIsAccepted(target);
  return target;
}

/** How many heartbeats it took until one was accepted; rejects when none is. */
async function heartbeatIsAccepted(target: HostUnderTest): Promise<number> {
  const outcomes: string[] = [];
  for (let tries = 1; tries <= 100; tries += 1) {
    const { kind } = await target.heartbeat();
    if (kind === 'accepted') return tries;
    outcomes.push(kind);
    await delay(100);
  }
  throw new Error(`no heartbeat was accepted: ${outcomes}`);
}

/** Every key that the hub takes is on this host, or waits there to be asked for again; and one of them is in use. */
async function keysAgree(target: HostUnderTest, elsewhere: string[]): Promise<void> {
  const configured = await target.configured();
  const { keyring } = target;
  const mine = [...target.kept, configured, ...elsewhere];
  const alive = await target.alive();
  const unknown = alive.filter((fingerprint) => !mine.includes(fingerprint));
  const asked = keyring?.rotation?.state === 'INTENT' && keyring.rotation.idempotency_key !== undefined;
  expect(unknown.length, `${unknown} at the hub alone; ${JSON.stringify(keyring?.rotation)}`).toBeLessThanOrEqual(asked ? 1 : 0);
  // What the agent can come to by itself: the configuration, else the keyring.
  expect(alive.some((fingerprint) => [configured, ...target.kept].includes(fingerprint))).toBe(true);
}

/** The end of a rotation: nothing is under way, and host and hub hold what the policy says. */
async function isFinished(target: HostUnderTest, policy: Policy): Promise<void> {
  const { state } = JSON.parse((await target.agent('rotate', '--explain', '--json')).stdout) as { state: string | null };
  expect([null, 'IDLE', 'RETIRING']).toContain(state);
  const configured = await target.configured();
  expect(await heartbeatIsAccepted(target)).toBe(1);
  const { keys } = await target.show();
  expect(keys.filter(({ slot }) => slot === 'current').map(({ fingerprint }) => fingerprint)).toEqual([configured]);
  const alive = await target.alive();
  if (policy === 'immediate') expect(alive).toEqual([configured]);
  if (policy === 'grace') expect(alive.length).toBeLessThanOrEqual(2);
  for (const fingerprint of alive) expect([configured, ...target.kept]).toContain(fingerprint);
  await target.auditHolds();
}

const COMBINATIONS: [Policy, Source, Format][] = [
  ['immediate', '--self', 'agent.env'],
  ['immediate', '--self', 'config.yml'],
  ['immediate', '--self', 'config.toml'],
  ['grace', '--self', 'agent.env'],
  ['grace', '--self', 'config.yml'],
  ['grace', '--self', 'config.toml'],
  ['multi', '--self', 'agent.env'],
  ['multi', '--self', 'config.yml'],
  ['multi', '--self', 'config.toml'],
  ['grace', '--mint', 'config.yml'],
  ['multi', '--mint', 'config.toml'],
  ['grace', '--new-key-stdin', 'agent.env'],
  ['multi', '--new-key-stdin', 'config.toml'],
];

describe.skipIf(missing)('rotate, killed', () => {
  it.each(COMBINATIONS)('under %s by %s in %s leaves a key that works, and goes on', { timeout: 0 }, async (policy, source, format) => {
    const target = await start(`${policy}${source}-${format}`.replaceAll('.', '-'), policy, format);
    const args = ['rotate', source, '--config', target.config];
    // A key that is pasted is made at the hub first.
    const fresh = async () =>
      source === '--new-key-stdin'
        ? JSON.parse(await bench.hubCommand(['key', 'rotate', target.name, '--json']))
        : { key: '', fingerprint: '' };

    // The first one also makes the keyring and the host key: those that are killed are like the second.
    expect(await run(AGENT, args, { input: (await fresh()).key })).toMatchObject({ status: 0 });
    const { calls, done } = await trace(args, (await fresh()).key, join(bench.folder, 'trace'));
    expect(done, done.stderr).toMatchObject({ how: 0 });
    await isFinished(target, policy);
    const points = decisive(calls, bench.folder);
    const from = randomInt(Math.min(STRIDE, points.length));
    const chosen = points.filter((_, index) => index % STRIDE === from);
    process.stdout.write(
      `${target.name}: ${calls.length} calls, ${points.length} of them decisive, ${chosen.length} taken from the ${from + 1}th\n`,
    );

    // Before the first of them nothing has changed.
    const before = [readFileSync(target.config, 'utf8'), JSON.stringify(target.keyring), await target.alive()];
    const early = calls.slice(0, calls.indexOf(points[0] as Call));
    for (const call of [early[0], early[randomInt(early.length >> 1)]])
      expect(await killAt(call as Call, args, '')).toMatchObject({ how: 'killed' });
    expect([readFileSync(target.config, 'utf8'), JSON.stringify(target.keyring), await target.alive()]).toEqual(before);

    let struck = 0;
    for (const call of chosen) {
      const given = await fresh();
      const first = await killAt(call, args, given.key);
      const where = `killed before ${call.name} ${call.number}: ${call.text.slice(0, 160)}; ${first.how} at ${target.keyring?.rotation?.state ?? 'none'}`;
      if (first.how === 'killed') struck += 1;
      // It came to its end where it needed fewer of these calls than the traced run: a quicker agent is asked less often.
      else expect(first.how, where).toBe(0);
      try {
        const tries = await heartbeatIsAccepted(target);
        if (policy !== 'immediate') expect(tries).toBe(1);
        await keysAgree(target, [given.fingerprint]);
        // What goes on from there is killed as well.
        await killAt(points[randomInt(points.length)] as Call, args, given.key);
        await heartbeatIsAccepted(target);
        await keysAgree(target, [given.fingerprint]);
        const last = await run(AGENT, args, { input: given.key });
        // A pasted key that is in use already has nothing left to be done.
        const over = last.status === 1 && last.stderr.includes('ROTATE_SAME') && source === '--new-key-stdin';
        expect(over ? 0 : last.status, last.stderr).toBe(0);
        if (over) expect(await target.configured()).toBe(given.fingerprint);
        await isFinished(target, policy);
      } catch (error) {
        (error as Error).message =
          `${where}\n${(error as Error).message}\nkeyring ${JSON.stringify(target.keyring, null, 1).replaceAll(/enc:[^"]+|"[0-9a-f]{64}"/g, '…')}`;
        throw error;
      }
    }
    const { refused, instances } = await target.show();
    process.stdout.write(`${target.name}: ${struck} killed, refused ${JSON.stringify(refused)}, ${JSON.stringify(instances)}\n`);
    if (policy !== 'immediate') expect(refused).toEqual({});
    // Of each kill in the gap between the two keys, at most one batch.
    expect(refused['401'] ?? 0).toBeLessThanOrEqual(2 * chosen.length);
    for (const { gaps, duplicates } of instances) expect({ gaps, duplicates }).toEqual({ gaps: [], duplicates: 0 });
  });

  it('is not begun where a lost answer would cost the key', async () => {
    const target = await start('gap', 'immediate', 'config.yml');
    const before = [readFileSync(target.config, 'utf8'), await target.alive()];
    expect(await target.agent('rotate', '--mint')).toMatchObject({ status: 1, stderr: expect.stringContaining('ROTATE_GAP') });
    expect([readFileSync(target.config, 'utf8'), await target.alive()]).toEqual(before);
    expect(target.keyring?.rotation ?? null).toBe(null);
    expect(await heartbeatIsAccepted(target)).toBe(1);
  });
});
