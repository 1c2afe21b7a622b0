import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AGENT, Bench, type Done, Running, run } from '../helpers/programs.ts';
import type { HubKey } from '../helpers/rotations.ts';

/* The four services whose keys the agent must handle, each from its own file to the end of the old key, by the real programs. */

const TIME = 60_000;
const bench = new Bench();
const agents: Running[] = [];

beforeAll(() => bench.startHub());
afterEach(async () => {
  await Promise.all(agents.splice(0).map((agent) => agent.end()));
});
afterAll(() => bench.close());

/** A host with a configuration of its own making, and its agent. */
class Host {
  readonly file: string;
  readonly env: NodeJS.ProcessEnv;

  constructor(name: string, text: string) {
    this.file = join(bench.folder, name);
    this.env = { ...process.env, SCOUT_HOST_KEY_FILE: join(bench.folder, 'host.key') };
    writeFileSync(this.file, text, { mode: 0o600 });
  }

  get text(): string {
    return readFileSync(this.file, 'utf8');
  }

  async start(env: NodeJS.ProcessEnv = {}): Promise<void> {
    const agent = new Running(AGENT, ['run', '--config', this.file], { ...this.env, ...env });
    agents.push(agent);
    await agent.said('started');
  }

  run(verb: string[], input?: string): Promise<Done> {
    return run(AGENT, [...verb, '--config', this.file], { env: this.env, ...(input !== undefined && { input }) });
  }

  /** `rotate`, which must do its work; what it tells as JSON. */
  async rotate(args: string[] = [], input?: string): Promise<Record<string, unknown>> {
    const done = await this.run(['rotate', '--json', ...args], input);
    expect([done.status, done.stderr]).toEqual([0, '']);
    return JSON.parse(done.stdout);
  }

  /** Fingerprint of the key that a heartbeat is accepted with. */
  async sends(): Promise<string> {
    const done = await this.run(['heartbeat', '--json']);
    expect(done.status).toBe(0);
    return JSON.parse(done.stdout).fingerprint;
  }
}

const folders = (name: string) => ({ state: join(bench.folder, `${name}-state`), ca: join(bench.data, 'ca.pem') });

/** An environment file, with what every agent of this bench needs. */
function envFile(name: string, lines: string[]): Host {
  const { state, ca } = folders(name);
  const common = [`SCOUT_TLS_CA_FILE=${ca}`, `SCOUT_STATE_DIR=${state}`, `SCOUT_RUNTIME_DIR=${state}/run`, 'SCOUT_INTERVAL=100ms'];
  return new Host(`${name}.env`, [`# ${name}`, ...lines, `SCOUT_ENDPOINT=${bench.endpoint}`, ...common, ''].join('\n'));
}

const register = async (name: string, ...options: string[]): Promise<{ key: string; fingerprint: string }> =>
  JSON.parse(await bench.hubCommand(['server', 'add', name, '--json', ...options]));
const made = async (...args: string[]): Promise<{ key: string; fingerprint: string }> =>
  JSON.parse(await bench.hubCommand(['key', ...args, '--json']));
const keysOf = async (name: string): Promise<HubKey[]> => ((await bench.show(name)) as unknown as { keys: HubKey[] }).keys;
const slots = async (name: string) => Object.fromEntries((await keysOf(name)).map(({ fingerprint, slot }) => [fingerprint, slot]));

/** Everything that was sampled arrived, once. */
async function isWhole(name: string): Promise<void> {
  for (const one of (await bench.show(name)).instances) expect(one).toMatchObject({ gaps: [], duplicates: 0 });
}

describe('Server Scout: the old key is dead at once', () => {
  it('is replaced in agent.env with nothing refused, and by hand', { timeout: TIME }, async () => {
    const first = await register('web', '--policy', 'immediate');
    const host = envFile('agent', [`SCOUT_API_KEY=${first.key}`]);
    const before = host.text;
    await host.start();
    const done = await host.rotate();
    expect(done).toMatchObject({ source: 'made', policy: 'immediate', from: first.fingerprint, previous: null });
    expect(await host.sends()).toBe(done.to);
    const [, now = ''] = /^SCOUT_API_KEY=([0-9a-f]{64})$/m.exec(host.text) ?? [];
    expect(host.text).toBe(before.replace(first.key, now));
    expect((await bench.show('web')).refused).toEqual({});

    const second = await made('rotate', 'web');
    expect(await host.rotate(['--new-key-stdin'], `${second.key}\n`)).toMatchObject({ to: second.fingerprint, previous: null });
    expect(await host.sends()).toBe(second.fingerprint);
    expect(await slots('web')).toEqual({ [second.fingerprint]: 'current' });
    await isWhole('web');
  });

  it('is not begun while the agent has the key in its environment, which no file reaches', { timeout: TIME }, async () => {
    const first = await register('unit', '--policy', 'immediate');
    const host = envFile('unit', [`SCOUT_API_KEY=${first.key}`]);
    const before = host.text;
    await host.start({ SCOUT_API_KEY: first.key });
    const done = await host.run(['rotate']);
    expect(done).toMatchObject({ status: 78, stdout: '', stderr: expect.stringContaining('ROTATE_AGENT_ENVIRONMENT') });
    expect(done.stderr).toContain('SCOUT_API_KEY');
    expect(host.text).toBe(before);
    expect(await slots('unit')).toEqual({ [first.fingerprint]: 'current' });
  });
});

describe('Observer: a window for the old key', () => {
  it('is replaced beside it, gone back to, and retired', { timeout: TIME }, async () => {
    const first = await register('watched', '--policy', 'grace', '--grace', '24h');
    const host = envFile('observer-agent', [`AGENT_KEY="${first.key}"`]);
    await host.start();
    const done = await host.rotate();
    expect(done).toMatchObject({ policy: 'grace', previous: { fingerprint: first.fingerprint }, valid_until: null });
    expect(host.text).toMatch(/^AGENT_KEY="[0-9a-f]{64}"$/m);
    expect(await slots('watched')).toEqual({ [first.fingerprint]: 'previous', [done.to as string]: 'current' });

    // The key that comes back changes places with the other one: that has a window now, and this one no end.
    const back = await host.rotate(['--rollback']);
    expect(back).toMatchObject({ to: first.fingerprint, valid_until: null, previous: { fingerprint: done.to } });
    expect(await slots('watched')).toEqual({ [first.fingerprint]: 'current', [done.to as string]: 'previous' });
    expect(await host.rotate(['--retire-now'])).toMatchObject({ retired: true, fingerprint: done.to });
    expect(await keysOf('watched')).toMatchObject([{ fingerprint: first.fingerprint, slot: 'current', valid_until: null }]);
    expect(await host.sends()).toBe(first.fingerprint);
    expect((await bench.show('watched')).refused).toEqual({});
    await isWhole('watched');
  });

  it('is dead at once where the window is zero', { timeout: TIME }, async () => {
    const first = await register('short', '--policy', 'grace', '--grace', '0s');
    const host = envFile('short', [`AGENT_KEY=${first.key}`]);
    await host.start();
    const done = await host.rotate();
    expect(done).toMatchObject({ previous: null });
    expect(await slots('short')).toEqual({ [done.to as string]: 'current' });
    expect(await host.sends()).toBe(done.to);
    await isWhole('short');
  });
});

describe('Logstag: several keys, sealed to the host', () => {
  it('is given one that was made by hand, which stays sealed; the old one ends when told', { timeout: TIME }, async () => {
    const first = await register('logs', '--policy', 'multi');
    const { state, ca } = folders('logs');
    const host = new Host(
      'logstag.toml',
      `state_dir = "${state}"
runtime_dir = "${state}/run"
interval = "100ms"
[agent]
api_key = "${first.key}" # of the organisation
api_base_url = "${bench.endpoint}"
[tls]
ca_file = "${ca}"
`,
    );
    expect(await host.run(['encrypt-value', '--in-place'])).toMatchObject({ status: 0 });
    await host.start();
    const second = await made('add', 'logs', '--name', 'v2');
    expect(await host.rotate(['--new-key-stdin'], second.key)).toMatchObject({
      from: first.fingerprint,
      to: second.fingerprint,
      previous: { fingerprint: first.fingerprint, valid_until: null },
    });
    expect(host.text).toMatch(/^api_key = "enc:v1:[^"]+" # of the organisation$/m);
    expect(host.text).not.toContain(second.key);
    expect(await host.sends()).toBe(second.fingerprint);
    expect((await keysOf('logs')).map(({ enabled }) => enabled)).toEqual([true, true]);
    expect(await host.rotate(['--retire-now'])).toMatchObject({ retired: true, fingerprint: first.fingerprint });
    expect(await slots('logs')).toEqual({ [second.fingerprint]: 'current' });
    await isWhole('logs');
  });
});

describe('Logstag: one key of the organisation for many agents', () => {
  const credentials = async () =>
    JSON.parse(await bench.hubCommand(['credential', 'list', '--json'])) as { name: string; enabled: boolean }[];
  const standing = async () =>
    Object.fromEntries((await credentials()).filter(({ name }) => /^fleet/.test(name)).map(({ name, enabled }) => [name, enabled]));

  it('is replaced host by host; none ends a key that others use, and each only what was made on it', { timeout: TIME }, async () => {
    const { key } = JSON.parse(await bench.hubCommand(['credential', 'add', 'fleet', '--api-key', '--role', 'member', '--json'])) as {
      key: string;
    };
    const [one, other] = ['fleet-1', 'fleet-2'].map((name) => envFile(name, [`SCOUT_API_KEY=${key}`, `SCOUT_HOST_NAME=${name}`])) as [
      Host,
      Host,
    ];
    await Promise.all([one.start(), other.start()]);
    const done = await one.rotate(['--self']);
    expect(done).toMatchObject({ source: 'made', policy: 'multi', previous: { valid_until: null } });
    expect(await one.sends()).toBe(done.to);
    expect(await other.sends()).toBe(done.from);
    expect(await standing()).toEqual({ fleet: true, 'fleet-v2': true });
    const tooSoon = await one.run(['rotate', '--retire-now']);
    expect(tooSoon).toMatchObject({ status: 1, stderr: expect.stringContaining('ROTATE_IN_USE') });
    expect(tooSoon.stderr).toContain('fleet-2');
    expect(await standing()).toEqual({ fleet: true, 'fleet-v2': true });
    // The second one replaces the key that was made on this host, and that alone ends; the organisation's own stays.
    const again = await one.rotate(['--self', '--retire-now']);
    expect(again).toMatchObject({ from: done.to });
    expect(await standing()).toEqual({ fleet: true, 'fleet-v2': false, 'fleet-v3': true });
    expect(await other.sends()).toBe(done.from);
    await other.rotate(['--self']);
    await bench.hubCommand(['credential', 'disable', 'fleet']);
    for (const host of [one, other]) await host.sends();
    expect(await standing()).toEqual({ fleet: false, 'fleet-v2': false, 'fleet-v3': true, 'fleet-v4': true });
    for (const name of ['fleet-1', 'fleet-2']) await isWhole(name);
  });
});

describe('Scout organisation credentials: key pairs', () => {
  const der = (key: KeyObject) => key.export({ format: 'der', type: 'pkcs8' }).toString('base64url');
  const pair = () => generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey;

  /** Lets a key in by its public half; its id. */
  async function admit(name: string, key: KeyObject): Promise<string> {
    const file = join(bench.folder, `${name}.pub`);
    writeFileSync(file, createPublicKey(key).export({ format: 'pem', type: 'spki' }));
    return (await bench.hubCommand(['credential', 'add', name, '--public-key', file, '--role', 'member'])).trim();
  }

  it('are replaced by one made here, by one given with its id, and the old ones disabled and deleted', { timeout: TIME }, async () => {
    const first = pair();
    const id = await admit('ci', first);
    const lines = [`SCOUT_PRIVATE_KEY=${der(first)}`, `SCOUT_CREDENTIAL_ID=${id}`, 'SCOUT_HOST_NAME=build-1'];
    const host = envFile('org', lines);
    await host.start();
    const done = await host.rotate(['--keypair']);
    expect(done).toMatchObject({ source: 'keypair', policy: 'multi' });
    // Of the credential's three lines two have other values, written as before.
    expect(host.text).toMatch(/^SCOUT_PRIVATE_KEY=[\w-]+\nSCOUT_CREDENTIAL_ID=[0-9a-f-]{36}\nSCOUT_HOST_NAME=build-1$/m);
    expect(host.text).not.toContain(id);
    expect(await host.sends()).toBe(done.to);

    const third = pair();
    const thirdId = await admit('ci-by-hand', third);
    const pem = third.export({ format: 'pem', type: 'pkcs8' }).toString();
    const forgotten = await host.run(['rotate', '--new-key-stdin'], pem);
    expect(forgotten).toMatchObject({ status: 77, stdout: '', stderr: expect.stringContaining('--credential-id ID') });
    // A wrong one takes nothing away: what there is to go back to is still there.
    expect((await host.run(['rotate', '--explain'])).stdout).toMatch(new RegExp(`^previous +${done.from}`, 'm'));
    const given = await host.rotate(['--new-key-stdin', '--credential-id', thirdId], pem);
    expect(given).toMatchObject({ from: done.to });

    await bench.hubCommand(['credential', 'disable', 'ci-v2']);
    await bench.hubCommand(['credential', 'disable', 'ci']);
    expect(await host.sends()).toBe(given.to);
    await bench.hubCommand(['credential', 'delete', 'ci-v2']);
    expect(await host.rotate(['--retire-now'])).toMatchObject({ retired: true, fingerprint: done.to });
    expect(await host.sends()).toBe(given.to);
    await isWhole('build-1');
  });
});

it('takes no key on the command line', async () => {
  const key = randomBytes(32).toString('hex');
  const done = await run(AGENT, ['rotate', key, '--config', '/nowhere.yml']);
  expect(done).toMatchObject({ status: 64, stdout: '' });
  expect(done.stderr).not.toContain(key);
});
