import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it, onTestFinished } from 'vitest';
import { ask } from '../../src/agent/control-client.ts';
import { makeHeartbeat } from '../../src/agent/heartbeat.ts';
import { Spool } from '../../src/delivery/spool.ts';
import { fingerprint } from '../../src/support/fingerprint.ts';
import { realHost } from '../../src/support/host.ts';
import { count, statusBecomes, statusOf } from '../helpers/agent-life.ts';
import { AGENT, Bench, Running } from '../helpers/programs.ts';
import { host } from '../helpers/rotations.ts';

/* Heartbeats that flow at a hundred a second while their key is replaced, and what comes between. */

const FLOW = 'interval: 10ms\ncollectors: {inventory: false}\nlog: {format: json}\n';
const BACKLOG = Number(process.env.FLOW_BACKLOG ?? 5_000);

/** Takes whatever is exported to it. */
async function receiver(): Promise<{ endpoint: string }> {
  const server = createServer((asked, answer) =>
    asked.resume().on('end', () => answer.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const bench = new Bench();
let agent: Running | undefined;
beforeAll(() => bench.startHub());
afterEach(async () => {
  if (agent?.child.exitCode === null) await agent.end();
});
afterAll(() => bench.close());

async function start(config: string): Promise<Running> {
  agent = new Running(AGENT, ['run', '--config', config]);
  await agent.said('"started"');
  await statusBecomes(config, ({ last_accepted: last }) => last !== null);
  return agent;
}

/** All of one instance, each once, and nothing refused. */
async function isWhole(target: { show(): ReturnType<Bench['show']> }): Promise<void> {
  const { refused, instances } = await target.show();
  expect(refused).toEqual({});
  expect(instances).toMatchObject([{ first_sequence: 1, gaps: [], duplicates: 0 }]);
}

it('a Secret of Kubernetes that is replaced from outside within the window of grace: none is refused', async () => {
  const target = await host(bench, 'mounted', 'grace', FLOW);
  const folder = join(bench.folder, 'mounted-secret');
  const put = (revision: string, key: string) => {
    mkdirSync(join(folder, revision), { recursive: true });
    writeFileSync(join(folder, revision, 'key'), `${key}\n`, { mode: 0o644 });
    symlinkSync(revision, join(folder, '..tmp'));
    renameSync(join(folder, '..tmp'), join(folder, '..data'));
  };
  put('..0', target.key);
  symlinkSync('..data/key', join(folder, 'key'));
  writeFileSync(target.config, readFileSync(target.config, 'utf8').replace(/key: \w+/, `key_file: ${join(folder, 'key')}`));
  const one = await start(target.config);
  for (const revision of ['..1', '..2']) {
    const { key } = JSON.parse(await bench.hubCommand(['key', 'rotate', target.name, '--json'])) as { key: string };
    put(revision, key);
    await statusBecomes(target.config, ({ destinations }) => destinations[0]?.fingerprint === fingerprint(key));
  }
  expect(await one.end()).toBe(0);
  await isWhole(target);
}, 180_000);

it('a storm of SIGHUP, and a file that is broken in between, while rotations go on', async () => {
  const target = await host(bench, 'storm', 'immediate', FLOW);
  const one = await start(target.config);
  const rotating = (async () => {
    for (let round = 0; round < 3; round++) expect(await target.agent('rotate')).toMatchObject({ status: 0 });
  })();
  const signals = setInterval(() => one.child.kill('SIGHUP'), 50);
  await rotating.finally(() => clearInterval(signals));
  const text = readFileSync(target.config, 'utf8');
  writeFileSync(target.config, `${text}nonsense: [\n`);
  expect(await target.agent('rotate')).toMatchObject({ status: 78 });
  await ask(target.socket, { command: 'reload' }, 20_000);
  expect(await target.heartbeat()).toMatchObject({ kind: 'accepted' });
  writeFileSync(target.config, text);
  expect(await target.agent('rotate')).toMatchObject({ status: 0 });
  expect(await target.heartbeat()).toMatchObject({ kind: 'accepted', fingerprint: await target.configured() });
  expect(await one.end()).toBe(0);
  await isWhole(target);
  expect(count(one.output, '"level":"error"')).toBe(count(one.output, 'is not in force'));
}, 180_000);

it('a backlog that drains, and a second destination that knows nothing of it', async () => {
  const sink = await receiver();
  const further = `destinations: [{name: otel, type: otlp, endpoint: '${sink.endpoint}', auth: none}]\n`;
  const target = await host(bench, 'backlog', 'immediate', FLOW + further);
  mkdirSync(target.state, { mode: 0o700 });
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const spool = new Spool({ path: join(target.state, 'outbox.db'), maxBytes: 2 ** 30, minFreeBytes: 0, host: realHost(), log: silent });
  spool.open();
  spool.setDestinations(['api', 'otel']);
  const time = Date.now();
  const sampled = { time, interval: 10, hostName: 'backlog', bootTime: undefined, inventory: undefined, metrics: [] };
  for (let one = 0; one < BACKLOG; one++)
    spool.append((instance, sequence) => ({ json: JSON.stringify(makeHeartbeat(sampled, instance, sequence)), time }));
  spool.close();
  const one = new Running(AGENT, ['run', '--config', target.config]);
  agent = one;
  await one.said('"started"');
  const rotated = await target.agent('rotate');
  const depth = (await statusOf(target.config)).outbox.depth;
  expect(rotated).toMatchObject({ status: 0 });
  process.stdout.write(`rotated while ${depth} of ${BACKLOG} still waited\n`);
  await expect.poll(async () => (await statusOf(target.config)).outbox.depth, { timeout: 120_000 }).toBeLessThan(50);
  expect((await statusOf(target.config)).key.fingerprint).toBe(await target.configured());
  // Held is the service of the key alone.
  await ask(target.socket, { command: 'hold', ms: 300_000 }, 20_000);
  const [api, otel] = (await statusOf(target.config)).destinations;
  await statusBecomes(target.config, ({ destinations: [, now] }) => (now?.accepted ?? 0) > (otel?.accepted ?? 0) + 20);
  expect((await statusOf(target.config)).destinations[0]?.accepted).toBe(api?.accepted);
  await ask(target.socket, { command: 'release' }, 20_000);
  expect(await one.end()).toBe(0);
  await isWhole(target);
}, 180_000);
