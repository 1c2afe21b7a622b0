import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AgentStatus, ControlRequest } from '../../src/agent/control.ts';
import { ask } from '../../src/agent/control-client.ts';
import { EMPTY_KEYRING, KEYRING, type KeptKey, type Keyring } from '../../src/credentials/keyring.ts';
import { unpack } from '../../src/protocol/frame.ts';
import { fingerprint } from '../../src/support/fingerprint.ts';
import { accept, answer, authority, body, serve } from '../delivery/tls.ts';
import { agent, count, statusBecomes, statusOf } from '../helpers/agent-life.ts';
import { AGENT, Bench, Running } from '../helpers/programs.ts';

/* Which key the running agent sends with, while the one that it was given is replaced, refused, lost and found. */

const FAST = 'interval: 100ms\ncollectors: {inventory: false}\nlog: {format: json}\n';
const bench = new Bench();
const running: Running[] = [];
let names = 0;

beforeAll(() => bench.startHub());
afterEach(async () => {
  for (const one of running.splice(0)) if (one.child.exitCode === null && one.child.signalCode === null) await one.end('SIGKILL');
});
afterAll(() => bench.close());

/** A server whose old key ends with its rotation, and a configuration for it. */
async function server(service?: { endpoint: string; ca: string }) {
  const name = `keys-${++names}`;
  const { key } = JSON.parse(await bench.hubCommand(['server', 'add', name, '--policy', 'immediate', '--json'])) as { key: string };
  const config = bench.configure(name, key, FAST, service);
  const state = join(bench.folder, `${name}-state`);
  const control = (request: ControlRequest) => ask(join(state, 'run/control.sock'), request, 60_000);
  const rotate = async () => (JSON.parse(await bench.hubCommand(['key', 'rotate', name, '--json'])) as { key: string }).key;
  /** Requests that brought nothing: each refusal is one. */
  const refused = async () => (await statusOf(config)).destinations[0]?.failures;
  return { name, key, config, state, control, rotate, refused };
}

async function start(config: string): Promise<Running> {
  const one = new Running(AGENT, ['run', '--config', config]);
  running.push(one);
  await one.said('"started"');
  return one;
}

/** A service that takes one key, `good`, and is told by the test which; `busy` sends everybody away for an hour. */
async function gatekeeper() {
  const own = authority();
  const gate = { good: '', busy: false, refused: 0, seen: [] as string[], endpoint: '', ca: own.file };
  const { endpoint } = await serve(own.issue(), async (request, response) => {
    const sent = unpack(await body(request), 64 << 20).toString();
    const key = String(request.headers['x-api-key']);
    gate.seen.push(fingerprint(key));
    if (gate.busy) return answer(response, 503, { detail: 'later' }, { 'retry-after': '3600' });
    if (key === gate.good) return accept(response, sent.trim().split('\n').length);
    gate.refused += 1;
    answer(response, 401, { detail: 'not this one' });
  });
  return Object.assign(gate, { endpoint });
}

const kept = (key: string): KeptKey => ({
  fingerprint: fingerprint(key),
  origin: 'made',
  values: { 'api.key': key },
  since: new Date().toISOString(),
  valid_until: null,
});

function keep(state: string, slots: Partial<Keyring>, endpoint = bench.endpoint): void {
  mkdirSync(state, { recursive: true });
  const keyring: Keyring = { ...EMPTY_KEYRING, service: { endpoint, service_id: 's', server_id: null }, ...slots };
  writeFileSync(join(state, `${KEYRING}.new`), JSON.stringify(keyring), { mode: 0o600 });
  renameSync(join(state, `${KEYRING}.new`), join(state, KEYRING));
}

const setKey = (config: string, key: string) => writeFileSync(config, readFileSync(config, 'utf8').replace(/key: \w+/, `key: ${key}`));
const delivers = (config: string, also: (status: AgentStatus) => boolean = () => true) =>
  statusBecomes(config, (status) => status.last_accepted !== null && status.destinations[0]?.problem === null && also(status));

describe('hold, release and adopt', () => {
  it('replace a key that dies at once without one refusal, and without a gap', async () => {
    const { name, config, control, rotate, refused } = await server();
    const one = await start(config);
    await delivers(config);
    expect(await control({ command: 'hold', ms: 60_000 })).toEqual({ held: true });
    const key = await rotate();
    setKey(config, key);
    expect(await control({ command: 'adopt', fingerprint: 'f'.repeat(12) })).toMatchObject({ outcome: 'pending' });
    expect(await control({ command: 'adopt', fingerprint: fingerprint(key) })).toMatchObject({ outcome: 'accepted' });
    expect(await control({ command: 'release' })).toEqual({ held: false });
    expect((await statusOf(config)).key).toMatchObject({ fingerprint: fingerprint(key), from: 'configuration', problem: null });
    expect(await refused()).toBe(0);
    expect(await one.end()).toBe(0);
    expect((await bench.show(name)).instances).toMatchObject([{ first_sequence: 1, gaps: [], duplicates: 0 }]);
    expect(one.output).not.toContain('cannot be delivered');
  });

  it('sampling goes on during a hold, which survives a reload, and lapses', async () => {
    const { config, control } = await server();
    const one = await start(config);
    await delivers(config);
    await control({ command: 'hold', ms: 300_000 });
    const { last_accepted: last } = await statusOf(config);
    one.child.kill('SIGHUP');
    await one.said('configuration reloaded');
    // A shorter hold does not end a longer one.
    await control({ command: 'hold', ms: 100 });
    const depth = (await statusOf(config)).outbox.depth;
    const later = await statusBecomes(config, ({ outbox }) => outbox.depth > depth + 3);
    expect(later.last_accepted).toEqual(last);
    await control({ command: 'release' });
    await statusBecomes(config, ({ outbox }) => outbox.depth < 2);
    await control({ command: 'hold', ms: 500 });
    const { last_accepted: before } = await statusOf(config);
    await statusBecomes(config, (status) => (status.last_accepted?.sequence ?? 0) > (before?.sequence ?? 0));
  });

  it('a hold whose owner died goes on with the key that the files hold by then', async () => {
    const gate = await gatekeeper();
    const { config, control, key } = await server(gate);
    gate.good = key;
    await start(config);
    await delivers(config);
    await control({ command: 'hold', ms: 1_000 });
    gate.good = 'ba'.repeat(32);
    setKey(config, gate.good);
    const before = gate.seen.length;
    await statusBecomes(config, ({ key, outbox }) => key.fingerprint === fingerprint(gate.good) && outbox.depth < 2);
    expect({ refused: gate.refused, sent: [...new Set(gate.seen.slice(before))] }).toEqual({ refused: 0, sent: [fingerprint(gate.good)] });
  });

  it('one that begins while the end of another is prepared is not ended by it', async () => {
    const { config, control } = await server();
    await start(config);
    await delivers(config);
    await control({ command: 'hold', ms: 300_000 });
    const released = control({ command: 'release' });
    await control({ command: 'hold', ms: 300_000 });
    const { last_accepted: last } = await statusOf(config);
    await released;
    const { outbox } = await statusOf(config);
    const later = await statusBecomes(config, (status) => status.outbox.depth > outbox.depth + 3);
    expect(later.last_accepted).toEqual(last);
  });

  it('one that lasts keeps nobody waiting: a heartbeat that is asked for says so, and the agent can be stopped', async () => {
    const { name, config, control } = await server();
    const one = await start(config);
    await delivers(config);
    await control({ command: 'hold', ms: 300_000 });
    const asked = await agent(config, 'heartbeat');
    expect(asked).toMatchObject({ status: 75, stderr: expect.stringMatching(/heartbeat \d+ is in the outbox.*rotation.*holds/s) });
    const waiting = agent(config, 'heartbeat');
    const { outbox } = await statusOf(config);
    await statusBecomes(config, (status) => status.outbox.depth > outbox.depth + 3);
    expect(await one.end()).toBe(0);
    await waiting;
    await start(config);
    await statusBecomes(config, ({ outbox }) => outbox.depth < 2);
    expect((await bench.show(name)).instances).toMatchObject([{ first_sequence: 1, gaps: [], duplicates: 0 }]);
  });

  it('an edit of the address during a hold does not end it', async () => {
    const { config, control } = await server();
    await start(config);
    await delivers(config);
    await control({ command: 'hold', ms: 300_000 });
    writeFileSync(config, readFileSync(config, 'utf8').replace('127.0.0.1', 'localhost'));
    expect(await control({ command: 'reload' })).toMatchObject({ ok: true });
    const { outbox, destinations } = await statusOf(config);
    expect(destinations[0]).toMatchObject({ endpoint: expect.stringContaining('localhost'), state: 'starting' });
    const later = await statusBecomes(config, (status) => status.outbox.depth > outbox.depth + 3);
    expect(later.destinations[0]?.state).toBe('starting');
    await control({ command: 'release' });
    await delivers(config);
  });

  it('adopt tells a key that the configuration does not hold, and one that is refused', async () => {
    const { config, control, key } = await server();
    await start(config);
    await delivers(config);
    const other = fingerprint('another');
    expect(await control({ command: 'adopt', fingerprint: other })).toEqual({
      outcome: 'pending',
      detail: `the configuration it reads holds ${fingerprint(key)}, not ${other}`,
    });
    const bad = 'ab'.repeat(32);
    setKey(config, bad);
    expect(await control({ command: 'adopt', fingerprint: fingerprint(bad) })).toMatchObject({ outcome: 'refused' });
    setKey(config, `${key}zz`);
    expect(await control({ command: 'adopt', fingerprint: fingerprint(bad) })).toMatchObject({
      outcome: 'pending',
      detail: expect.stringContaining('not in force'),
    });
    setKey(config, key);
    expect(await control({ command: 'adopt', fingerprint: fingerprint(key) })).toMatchObject({ outcome: 'accepted' });
    await bench.hub?.end();
    try {
      await statusBecomes(config, ({ destinations }) => destinations[0]?.problem?.reason === 'refused');
      expect(await control({ command: 'adopt', fingerprint: fingerprint(key) })).toMatchObject({ outcome: 'pending' });
    } finally {
      await bench.startHub();
    }
    // However long the pause had become.
    expect(await control({ command: 'adopt', fingerprint: fingerprint(key) })).toMatchObject({ outcome: 'accepted' });
  });
});

describe('a refused key', () => {
  it('after a restart in the middle of a rotation costs one refusal; the next key is found, and said until the configuration has it', async () => {
    const { name, config, key, state, rotate, refused } = await server();
    const fresh = await rotate();
    keep(state, { current: kept(key), next: kept(fresh) });
    const one = await start(config);
    const { state: is, key: used } = await delivers(config, (status) => status.key.from === 'next');
    expect({ is, used }).toMatchObject({
      is: 'running',
      used: { fingerprint: fingerprint(fresh), problem: expect.stringContaining('cut short') },
    });
    expect(await refused()).toBe(1);
    await one.said('run `scout-agent rotate`');
    setKey(config, fresh);
    one.child.kill('SIGHUP');
    await delivers(config, (status) => status.key.from === 'configuration');
    expect(await refused()).toBe(1);
    expect(await one.end()).toBe(0);
    expect((await bench.show(name)).instances).toMatchObject([{ first_sequence: 1, gaps: [], duplicates: 0 }]);
    expect(one.output).not.toContain(fresh);
  });

  it('is replaced by what the files hold by now, without a word about the keyring', async () => {
    const { config, rotate, refused } = await server();
    const one = await start(config);
    await delivers(config);
    const fresh = await rotate();
    setKey(config, fresh);
    await delivers(config, (status) => status.key.fingerprint === fingerprint(fresh));
    expect(await refused()).toBeLessThanOrEqual(1);
    expect(one.output).not.toContain('keyring');
  });

  it('with only the previous one left runs degraded, and says so at error level', async () => {
    const { config, key, state } = await server();
    const bad = 'cd'.repeat(32);
    setKey(config, bad);
    keep(state, { current: kept(bad), previous: kept(key) });
    const one = await start(config);
    const status = await delivers(config, (each) => each.key.from === 'previous');
    expect(status).toMatchObject({
      state: 'degraded',
      key: { fingerprint: fingerprint(key), problem: expect.stringContaining('PREVIOUS') },
    });
    expect(one.output).toMatch(/"level":"error".*PREVIOUS/);
    expect((await agent(config, 'status')).stdout).toContain('PREVIOUS');
    // A change of anything else leaves it in use.
    writeFileSync(config, readFileSync(config, 'utf8').replace('100ms', '150ms'));
    one.child.kill('SIGHUP');
    await one.said('configuration reloaded');
    expect((await statusOf(config)).key.from).toBe('previous');
  });

  it('with none left waits, stays calm, and takes up a good one that the keyring gets, by itself', async () => {
    const { name, config, key, state } = await server();
    setKey(config, 'ef'.repeat(32));
    keep(state, { previous: kept('01'.repeat(32)) });
    const one = await start(config);
    await statusBecomes(config, ({ destinations }) => destinations[0]?.state === 'unauthorized' && destinations[0].failures >= 4);
    expect((await statusOf(config)).key).toMatchObject({ from: 'configuration', problem: null });
    keep(state, { next: kept(key) });
    await delivers(config, (status) => status.key.from === 'next');
    expect(count(one.output, 'cannot be delivered')).toBe(1);
    expect(count(one.output, 'configuration reloaded')).toBe(0);
    expect(await one.end()).toBe(0);
    expect((await bench.show(name)).instances).toMatchObject([{ first_sequence: 1, gaps: [], duplicates: 0 }]);
  });

  it('is replaced by one that the keyring was known to have, also while the configuration cannot be read', async () => {
    const gate = await gatekeeper();
    const { config, key, state } = await server(gate);
    const other = '98'.repeat(32);
    gate.good = key;
    keep(state, { next: kept(other) }, gate.endpoint);
    await start(config);
    await delivers(config);
    writeFileSync(config, `${readFileSync(config, 'utf8')}nonsense: 1\n`);
    gate.good = other;
    await delivers(config, (status) => status.key.fingerprint === fingerprint(other) && status.config.problem !== null);
    expect(gate.refused).toBe(1);
  });

  it('is not the last word for one heartbeat without a running agent either', async () => {
    const { config, key, state } = await server();
    setKey(config, '23'.repeat(32));
    keep(state, { next: kept(key) });
    const done = await agent(config, 'heartbeat', '--json');
    expect({ status: done.status, ...JSON.parse(done.stdout) }).toMatchObject({ status: 0, fingerprint: fingerprint(key) });
    keep(state, {});
    const refused = await agent(config, 'heartbeat');
    expect(refused).toMatchObject({ status: 77, stderr: expect.stringContaining('KEY_REFUSED') });
  });

  it('is not the last word for a start in the background', async () => {
    const { config, key, state } = await server();
    setKey(config, '32'.repeat(32));
    keep(state, { next: kept(key) });
    const done = await agent(config, '--daemon');
    expect(done).toMatchObject({ status: 0, stdout: expect.stringContaining(`with key ${fingerprint(key)}`) });
    expect((await agent(config, 'stop')).status).toBe(0);
  });

  it('of one service never brings out keys for another', async () => {
    const { config, state } = await server();
    const [bad, other] = ['45'.repeat(32), '67'.repeat(32)];
    setKey(config, bad);
    keep(state, { next: kept(other), current: kept(bad) }, 'https://elsewhere.example');
    await start(config);
    const status = await statusBecomes(config, ({ destinations }) => (destinations[0]?.failures ?? 0) >= 2);
    expect(status.key.fingerprint).toBe(fingerprint(bad));
  });
});

describe('a mounted key file', () => {
  it.each(['by the links of Kubernetes', 'by rename'])('that is replaced %s is taken up', async (how) => {
    const { config, key, state } = await server();
    const { key: fresh } = await bench.addServer(`keys-${++names}`);
    const links = how !== 'by rename';
    for (const [folder, text] of [
      ['..1', key],
      ['..2', fresh],
    ] as const) {
      mkdirSync(join(state, folder), { recursive: true });
      writeFileSync(join(state, folder, 'key'), `${text}\n`, { mode: 0o600 });
    }
    symlinkSync('..1', join(state, '..data'));
    if (links) symlinkSync('..data/key', join(state, 'key'));
    else writeFileSync(join(state, 'key'), key, { mode: 0o600 });
    writeFileSync(config, readFileSync(config, 'utf8').replace(/key: \w+/, `key_file: ${join(state, 'key')}`));
    const one = await start(config);
    await delivers(config, (status) => status.key.fingerprint === fingerprint(key));
    symlinkSync('..2', join(state, '..data_tmp'));
    if (links) renameSync(join(state, '..data_tmp'), join(state, '..data'));
    else renameSync(join(state, '..2', 'key'), join(state, 'key'));
    await statusBecomes(config, ({ destinations }) => destinations[0]?.fingerprint === fingerprint(fresh));
    expect(one.output).not.toContain('cannot be delivered');
  });
});

it('a heartbeat that is asked for is sent at once, however long the pause', async () => {
  const gate = await gatekeeper();
  const { config, control, key } = await server(gate);
  gate.good = key;
  gate.busy = true;
  await start(config);
  await statusBecomes(config, ({ destinations }) => (destinations[0]?.problem?.next_attempt_in ?? 0) > 3_000);
  expect(await agent(config, 'heartbeat')).toMatchObject({ status: 75, stderr: expect.stringContaining('SERVICE_BUSY') });
  gate.busy = false;
  expect(await control({ command: 'heartbeat' })).toMatchObject({ outcome: { kind: 'accepted', by: fingerprint(key) } });
});

it('a damaged keyring is a warning', async () => {
  const { config, state } = await server();
  keep(state, {});
  writeFileSync(join(state, KEYRING), '{"v":1,', { mode: 0o600 });
  const one = await start(config);
  await delivers(config);
  expect(one.output).toContain('KEYRING_DAMAGED');
  expect(await one.end()).toBe(0);
});

describe('what starts no search for a key', () => {
  const own = authority();
  it.each([
    ['403', (response: Parameters<typeof answer>[0]) => answer(response, 403, { detail: 'no' })],
    ['500', (response: Parameters<typeof answer>[0]) => answer(response, 500, { detail: 'no' })],
    [
      '401 of a proxy',
      (response: Parameters<typeof answer>[0]) => void response.writeHead(401, { 'content-type': 'text/html' }).end('<p>'),
    ],
  ])('%s', async (_, lie) => {
    const seen = new Set<string>();
    let requests = 0;
    const { endpoint } = await serve(own.issue(), async (request, response) => {
      const sent = unpack(await body(request), 64 << 20);
      seen.add(fingerprint(String(request.headers['x-api-key'])));
      requests += 1;
      if (requests <= 3) return lie(response);
      accept(response, sent.toString().trim().split('\n').length);
    });
    const { config, key, state } = await server({ endpoint, ca: own.file });
    keep(state, { next: kept('89'.repeat(32)) }, endpoint);
    const one = await start(config);
    await delivers(config);
    expect([...seen]).toEqual([fingerprint(key)]);
    expect(await one.end()).toBe(0);
  });
});
