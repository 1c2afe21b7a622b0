import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AGENT, Bench, type Done, Running, run } from '../helpers/programs.ts';

/* `scout-agent rotate` as a sysadmin types it: the real programs, a real hub, an agent that sends ten times a second. */

const bench = new Bench();
const agents: Running[] = [];

beforeAll(() => bench.startHub());
afterEach(async () => {
  await Promise.all(agents.splice(0).map((agent) => agent.end()));
});
afterAll(() => bench.close());

interface Keys {
  keys: { fingerprint: string; slot: string; enabled: boolean; valid_until: string | null }[];
  refused: Record<string, number>;
}

/** A host that is registered under a policy, with its agent running. */
async function host(name: string, policy: string, start = true): Promise<{ config: string; key: string; fingerprint: string }> {
  const added = JSON.parse(await bench.hubCommand(['server', 'add', name, '--policy', policy, '--json']));
  const config = bench.configure(name, added.key, 'interval: 100ms\n');
  if (start) {
    const agent = new Running(AGENT, ['run', '--config', config]);
    agents.push(agent);
    await agent.said('started');
  }
  return { config, ...added };
}

const rotate = (config: string, ...args: string[]) => run(AGENT, ['rotate', '--config', config, ...args]);
const json = (done: Done) => JSON.parse(done.stdout);
const shown = async (name: string) => (await bench.show(name)) as unknown as Keys;
const heartbeat = async (config: string) => json(await run(AGENT, ['heartbeat', '--json', '--config', config]));

describe('rotate', () => {
  it.each(['immediate', 'grace', 'multi'])('replaces the key of a running agent, policy %s, with nothing refused', async (policy) => {
    const { config, fingerprint, key } = await host(`plain-${policy}`, policy);
    const before = readFileSync(config, 'utf8');
    const done = await rotate(config);
    expect([done.status, done.stderr]).toEqual([0, '']);
    for (const state of ['INTENT', 'STAGED', 'PROVEN', 'COMMITTED']) expect(done.stdout).toContain(state);
    const after = readFileSync(config, 'utf8');
    const [, now = ''] = /^ {2}key: ([0-9a-f]{64})$/m.exec(after) ?? [];
    expect(after).toBe(before.replace(key, now));
    expect(done.stdout).not.toContain(now);
    const beat = await heartbeat(config);
    expect(beat.outcome).toMatchObject({ kind: 'accepted', slot: 'current' });
    expect(beat.fingerprint).not.toBe(fingerprint);
    const { keys, refused } = await shown(`plain-${policy}`);
    expect(refused).toEqual({});
    expect(keys.map((one) => one.slot).toSorted()).toEqual(policy === 'immediate' ? ['current'] : ['current', 'previous']);
    expect((await run(AGENT, ['audit', 'verify', '--config', config])).status).toBe(0);
  });

  it('goes back, and retires', async () => {
    const { config, fingerprint } = await host('back', 'multi');
    const first = json(await rotate(config, '--json'));
    expect(first).toMatchObject({ rotated: true, from: fingerprint, source: 'made', policy: 'multi' });
    expect(json(await rotate(config, '--rollback', '--json'))).toMatchObject({ from: first.to, to: fingerprint });
    expect(json(await rotate(config, '--retire-now', '--json'))).toMatchObject({ retired: true, fingerprint: first.to });
    expect((await shown('back')).keys).toHaveLength(1);
    expect(await rotate(config, '--retire-now')).toMatchObject({ status: 1, stderr: expect.stringContaining('ROTATE_NOTHING_TO_RETIRE') });
  });

  it('takes a key that was made by hand', async () => {
    const { config } = await host('pasted', 'grace');
    const made = JSON.parse(await bench.hubCommand(['key', 'rotate', 'pasted', '--json']));
    const done = await run(AGENT, ['rotate', '--new-key-stdin', '--config', config], { input: `${made.key}\n` });
    expect([done.status, done.stderr]).toEqual([0, '']);
    expect((await heartbeat(config)).fingerprint).toBe(made.fingerprint);
    expect((await shown('pasted')).refused).toEqual({});
  });

  it.each([
    ['one that nobody issued', () => randomBytes(32).toString('hex'), 77, 'ROTATE_NEW_REFUSED'],
    ['one that was cut', () => randomBytes(20).toString('hex'), 78, 'KEY_LENGTH'],
    ['none', () => '', 64, 'ROTATE_KEY_MISSING'],
  ])('refuses %s, and leaves everything as it was', async (_, make, status, error) => {
    const name = `refused-${status}`;
    const { config } = await host(name, 'grace');
    const before = readFileSync(config, 'utf8');
    const input = make();
    const done = await run(AGENT, ['rotate', '--new-key-stdin', '--config', config], { input });
    expect(done).toMatchObject({ status, stderr: expect.stringContaining(error) });
    if (input) expect(done.stdout + done.stderr).not.toContain(input);
    expect(readFileSync(config, 'utf8')).toBe(before);
    expect((await heartbeat(config)).outcome.kind).toBe('accepted');
  });

  it('refuses the key of another server', async () => {
    const { config } = await host('mine', 'grace');
    const other = await host('other', 'grace', false);
    const done = await run(AGENT, ['rotate', '--new-key-stdin', '--config', config], { input: other.key });
    expect(done).toMatchObject({ status: 77, stderr: expect.stringContaining('ROTATE_OTHER_SERVER') });
  });

  it('looks at the age first', async () => {
    const { config } = await host('young', 'grace');
    expect(await rotate(config, '--if-older-than', '90d')).toMatchObject({ status: 0, stdout: expect.stringContaining('0 days old') });
    expect(json(await rotate(config, '--if-older-than', '90d', '--json'))).toMatchObject({ rotated: false, age_days: 0 });
    expect(json(await rotate(config, '--if-older-than', '0s', '--json'))).toMatchObject({ rotated: true });
  });

  it('does not wait for a key that came under a clock which was ahead by years', async () => {
    const { config } = await host('future', 'multi');
    expect((await rotate(config)).status).toBe(0);
    const path = join(bench.folder, 'future-state', 'keyring.json');
    const { checksum: _, ...keyring } = JSON.parse(readFileSync(path, 'utf8'));
    keyring.current.since = '2040-01-01T00:00:00.000Z';
    writeFileSync(path, JSON.stringify(keyring));
    expect(json(await rotate(config, '--if-older-than', '90d', '--json'))).toMatchObject({ rotated: true });
    expect(json(await rotate(config, '--if-older-than', '90d', '--json'))).toMatchObject({ rotated: false, age_days: 0 });
  });

  it('tells beforehand, and afterwards', async () => {
    const { config } = await host('told', 'multi');
    const before = readFileSync(config, 'utf8');
    expect(await rotate(config, '--dry-run')).toMatchObject({ status: 0, stdout: expect.stringContaining('Nothing was changed') });
    expect(json(await rotate(config, '--dry-run', '--json'))).toMatchObject({ dry_run: true, source: 'made', policy: 'multi' });
    expect(readFileSync(config, 'utf8')).toBe(before);
    expect(await rotate(config, '--explain')).toMatchObject({ status: 0 });
    await rotate(config);
    expect(json(await rotate(config, '--explain', '--json')).state).toBe('RETIRING');
  });

  it('rotates by minting where asked, and not where that could lose a key', async () => {
    const { config } = await host('minted', 'grace');
    expect(json(await rotate(config, '--mint', '--json'))).toMatchObject({ source: 'minted' });
    const at = await host('minted-now', 'immediate');
    expect(await rotate(at.config, '--mint')).toMatchObject({ status: 1, stderr: expect.stringContaining('ROTATE_GAP') });
    expect(json(await rotate(at.config, '--mint', '--accept-gap', '--json'))).toMatchObject({ source: 'minted', policy: 'immediate' });
    expect((await shown('minted-now')).refused).toEqual({});
  });

  it('keeps a sealed key sealed', async () => {
    const { config } = await host('sealed', 'grace', false);
    const env = { ...process.env, SCOUT_HOST_KEY_FILE: join(bench.folder, 'host.key') };
    expect((await run(AGENT, ['encrypt-value', '--in-place', '--config', config], { env })).status).toBe(0);
    const agent = new Running(AGENT, ['run', '--config', config], env);
    agents.push(agent);
    await agent.said('started');
    const done = await run(AGENT, ['rotate', '--json', '--config', config], { env });
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(config, 'utf8')).toMatch(/^ {2}key: enc:v1:/m);
    const { current, previous } = JSON.parse(readFileSync(join(bench.folder, 'sealed-state', 'keyring.json'), 'utf8'));
    for (const kept of [current, previous]) expect(kept.values['api.key']).toMatch(/^enc:v1:/);
    expect(json(await run(AGENT, ['status', '--json', '--config', config], { env })).key.fingerprint).toBe(json(done).to);
    expect((await shown('sealed')).refused).toEqual({});
  });

  it('says what it needs where no agent runs, and where the service does not answer', async () => {
    const { config } = await host('alone', 'immediate', false);
    expect(await rotate(config)).toMatchObject({ status: 0, stdout: expect.stringContaining('has taken the place of') });
    const text = readFileSync(config, 'utf8');
    writeFileSync(config, text.replace(bench.endpoint, 'https://127.0.0.1:9'));
    expect((await rotate(config)).status).toBe(69);
  });

  it('finishes what it has begun when nobody reads on', async () => {
    const { config } = await host('unread', 'grace', false);
    const child = spawn(process.execPath, [AGENT, 'rotate', '--config', config], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.once('data', () => child.stdout.destroy());
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
    expect(json(await rotate(config, '--explain', '--json')).state).toBe('RETIRING');
  });

  it('makes nothing for a dry run, and nothing before what speaks against a rotation', async () => {
    const { config } = await host('dry', 'grace', false);
    const state = join(bench.folder, 'dry-state');
    expect((await rotate(config, '--dry-run')).status).toBe(0);
    expect(existsSync(state)).toBe(false);
    expect((await rotate(config, '--mint', '--keypair')).status).toBe(64);
    expect((await rotate(config, '--keypair')).status).toBe(64);
    expect(existsSync(join(state, 'keyring.json'))).toBe(false);
    writeFileSync(state + 2, '');
    expect(await rotate(config, '--state-dir', state + 2)).toMatchObject({
      status: 77,
      stderr: expect.stringContaining('FILE_UNWRITABLE'),
    });
  });

  it.each([
    [['--self', '--mint']],
    [['--explain', '--rollback']],
    [['--dry-run', '--retire-now']],
    [['a word']],
    [['--if-older-than', 'often']],
    [['--credential-id', 'x']],
  ])('does not understand %j', async (args) => {
    expect((await rotate('/nowhere.yml', ...args)).status).toBe(64);
  });
});
