import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { agent, childrenOf, count, statusBecomes, statusOf } from '../helpers/agent-life.ts';
import { AGENT, Bench, freePort, Running, run } from '../helpers/programs.ts';

/* The running agent as an administrator meets it: the built program, a real hub, signals, and what `status` says. */

const FAST = 'interval: 100ms\ncollectors: {inventory: false}\nlog: {format: json}\n';
const bench = new Bench();
const running: Running[] = [];
let names = 0;

beforeAll(() => bench.startHub());
afterEach(async () => {
  for (const one of running.splice(0)) if (one.child.exitCode === null && one.child.signalCode === null) await one.end('SIGKILL');
});
afterAll(() => bench.close());

/** A server of its own on the hub, and a configuration for it. */
async function server(more = FAST) {
  const name = `host-${++names}`;
  const { key, fingerprint } = await bench.addServer(name);
  return { name, key, fingerprint, config: bench.configure(name, key, more) };
}

async function start(config: string): Promise<Running> {
  const one = new Running(AGENT, ['run', '--config', config]);
  running.push(one);
  await one.said('"started"');
  return one;
}

const edit = (path: string, change: (text: string) => string) => writeFileSync(path, change(readFileSync(path, 'utf8')));
const delivers = (config: string) => statusBecomes(config, (status) => status.last_accepted !== null && status.outbox.depth === 0);

describe('SIGHUP', () => {
  it('puts interval and collectors in force, and loses nothing', async () => {
    const { name, config } = await server();
    const one = await start(config);
    await delivers(config);
    edit(config, (text) => text.replace('interval: 100ms', 'interval: 150ms').replace('inventory: false', 'inventory: false, cpu: false'));
    one.child.kill('SIGHUP');
    await one.said('configuration reloaded');
    const { collectors } = await statusBecomes(config, (status) => !status.collectors.some((each) => each.name === 'cpu'));
    expect(collectors.map((each) => each.name)).toContain('memory');
    expect(await one.end()).toBe(0);
    const { instances } = await bench.show(name);
    expect(instances).toMatchObject([{ first_sequence: 1, gaps: [], duplicates: 0 }]);
  });

  it('sends with a new key from the next request on', async () => {
    const { config } = await server();
    const other = await server();
    const one = await start(config);
    await delivers(config);
    edit(config, (text) => text.replace(/key: \w+/, `key: ${other.key}`));
    one.child.kill('SIGHUP');
    await statusBecomes(config, (status) => status.destinations[0]?.fingerprint === other.fingerprint);
    expect((await bench.show(other.name)).instances[0]?.accepted).toBeGreaterThan(0);
    expect(one.output).not.toContain('cannot be delivered');
  });

  it('keeps the old configuration when the new one is broken, says why, and takes the mended one', async () => {
    const { config } = await server();
    const one = await start(config);
    const before = await delivers(config);
    edit(config, (text) => text.replace('interval:', 'intervall:'));
    one.child.kill('SIGHUP');
    const degraded = await statusBecomes(config, (status) => status.state === 'degraded');
    expect(degraded.config.problem).toContain('intervall');
    expect(degraded.config.loaded).toBe(before.config.loaded);
    const accepted = degraded.last_accepted?.sequence ?? 0;
    await statusBecomes(config, (status) => (status.last_accepted?.sequence ?? 0) > accepted);
    edit(config, (text) => text.replace('intervall:', 'interval:'));
    one.child.kill('SIGHUP');
    await statusBecomes(config, (status) => status.state === 'running' && status.config.problem === null);
  });

  it('keeps the old endpoint when a certificate of the new one cannot be read', async () => {
    const { config } = await server();
    const one = await start(config);
    const accepted = (await delivers(config)).last_accepted?.sequence ?? 0;
    edit(config, (text) =>
      text.replace(/endpoint: .*/, 'endpoint: https://127.0.0.1:9').replace(/ca_file: .*/, 'ca_file: /nowhere/ca.pem'),
    );
    one.child.kill('SIGHUP');
    const degraded = await statusBecomes(config, (status) => status.state === 'degraded');
    expect(degraded.config.problem).toContain('/nowhere/ca.pem');
    expect(degraded.destinations[0]?.endpoint).toBe(bench.endpoint);
    await statusBecomes(config, (status) => (status.last_accepted?.sequence ?? 0) > accepted);
  });

  it('moves to another endpoint with all that the first has not got', async () => {
    const { name, config } = await server();
    edit(config, (text) => text.replace(bench.endpoint, 'https://127.0.0.1:9'));
    const one = await start(config);
    await statusBecomes(config, (status) => status.outbox.depth > 2 && status.destinations[0]?.problem?.reason === 'refused');
    edit(config, (text) => text.replace('https://127.0.0.1:9', bench.endpoint));
    one.child.kill('SIGHUP');
    await delivers(config);
    expect(await one.end()).toBe(0);
    expect((await bench.show(name)).instances).toMatchObject([{ first_sequence: 1, gaps: [], duplicates: 0 }]);
  });

  it('says what is in force only after a restart', async () => {
    const { config } = await server();
    const one = await start(config);
    edit(config, (text) => text.replace('format: json', 'format: text').replace(/state_dir: (.*)/, 'state_dir: $1-other'));
    one.child.kill('SIGHUP');
    await one.said('needs_restart');
    const asked = await run(AGENT, ['status', '--json', '--config', config]);
    expect(JSON.parse(asked.stdout)).toMatchObject({
      state: 'degraded',
      config: { problem: expect.stringMatching(/restart: state_dir, log.format$/) },
    });
    expect(existsSync(join(bench.folder, `host-${names}-state-other`))).toBe(false);
  });

  it('does no harm when it comes before the agent is up', async () => {
    const { config } = await server();
    const one = new Running(AGENT, ['run', '--config', config]);
    running.push(one);
    // The checker runs, as a child: the handlers stand, and nothing else does.
    await expect.poll(() => childrenOf(one.child.pid as number)).not.toEqual([]);
    one.child.kill('SIGHUP');
    await one.said('"started"');
    await one.said('configuration reloaded');
    await delivers(config);
  });

  it('opens the log anew after it was renamed, also when the configuration is broken', async () => {
    const log = join(bench.folder, 'rotated.log');
    const { config } = await server(FAST.replace('format: json', `format: json, file: ${log}`));
    const one = new Running(AGENT, ['run', '--config', config]);
    running.push(one);
    await delivers(config);
    renameSync(log, `${log}.1`);
    edit(config, (text) => text.replace('interval:', 'intervall:'));
    one.child.kill('SIGHUP');
    await expect.poll(() => existsSync(log) && readFileSync(log, 'utf8')).toContain('is not in force');
    expect(readFileSync(`${log}.1`, 'utf8')).not.toContain('is not in force');
  });
});

it('takes up an atomically replaced file by itself', async () => {
  const { config } = await server();
  const other = await server();
  const one = await start(config);
  writeFileSync(`${config}.new`, readFileSync(config, 'utf8').replace(/key: \w+/, `key: ${other.key}`), { mode: 0o600 });
  renameSync(`${config}.new`, config);
  await one.said('configuration reloaded');
  await statusBecomes(config, (status) => status.destinations[0]?.fingerprint === other.fingerprint);
  expect(count(one.output, 'configuration reloaded')).toBe(1);
});

it('toggles debug logging by SIGUSR2, which outlives a reload', async () => {
  const { config } = await server(FAST.replace('format: json', 'format: json, level: warn'));
  const one = new Running(AGENT, ['run', '--config', config]);
  running.push(one);
  await delivers(config);
  one.child.kill('SIGUSR2');
  await one.said('debug logging is on');
  one.child.kill('SIGHUP');
  await one.said('configuration reloaded');
  // Each sample and each request, and not the first five of a minute only.
  const lines = (message: string) => count(one.output, `"msg":"${message}"`);
  await expect.poll(() => Math.min(lines('sampled'), lines('a request was answered'))).toBeGreaterThan(6);
  await statusOf(config);
  await one.said('"command":"status"');
  one.child.kill('SIGUSR2');
  await one.said('debug logging is off');
});

it('opens no debugger by SIGUSR1, and goes on', async () => {
  const { config } = await server();
  const one = await start(config);
  one.child.kill('SIGUSR1');
  one.child.kill('SIGUSR2');
  await one.said('debug logging is on');
  const accepted = (await delivers(config)).last_accepted?.sequence ?? 0;
  await statusBecomes(config, (status) => (status.last_accepted?.sequence ?? 0) > accepted);
  expect(one.output).not.toContain('Debugger');
});

describe('the end', () => {
  it('comes with status 0 while the service is down, and what was sampled is delivered once after the next start', async () => {
    const { name, config } = await server();
    const port = await freePort();
    edit(config, (text) => text.replace(bench.endpoint, `https://127.0.0.1:${port}`));
    const one = await start(config);
    await statusBecomes(config, (status) => status.outbox.depth >= 3);
    expect(await one.end()).toBe(0);
    const { depth } = JSON.parse((await agent(config, 'outbox', 'stats', '--json')).stdout);
    expect(depth).toBeGreaterThanOrEqual(3);

    edit(config, (text) => text.replace(`https://127.0.0.1:${port}`, bench.endpoint));
    const two = await start(config);
    await delivers(config);
    expect(await two.end()).toBe(0);
    const { instances } = await bench.show(name);
    expect(instances).toMatchObject([{ first_sequence: 1, gaps: [], duplicates: 0 }]);
    expect(instances[0]?.accepted).toBe(instances[0]?.last_sequence);
  });

  it('comes by SIGINT, too, and by `stop`, and takes the socket and the number along', async () => {
    for (const how of ['SIGINT', 'stop'] as const) {
      const { config } = await server();
      const one = await start(config);
      const { outbox } = await statusOf(config);
      const state = join(outbox.path, '..');
      if (how === 'stop') expect(await agent(config, 'stop')).toMatchObject({ status: 0 });
      else one.child.kill(how);
      expect(await one.ended).toBe(0);
      expect(existsSync(join(state, 'run/control.sock'))).toBe(false);
      expect(existsSync(join(state, 'agent.lock.pid'))).toBe(false);
      expect(one.output).toContain('"stopped"');
    }
  });

  it('by kill -9 leaves a lock and a socket that the next start takes over, and a second agent is refused', async () => {
    const { name, config } = await server();
    const one = await start(config);
    await delivers(config);
    const second = await agent(config, 'run');
    expect(second.status).toBe(75);
    expect(second.stderr).toContain(`AGENT_RUNNING`);
    expect(second.stderr).toContain(String(one.child.pid));
    const state = join((await statusOf(config)).outbox.path, '..');
    expect(await one.end('SIGKILL')).toBe('SIGKILL');
    expect(existsSync(join(state, 'run/control.sock'))).toBe(true);
    const two = await start(config);
    expect((await delivers(config)).pid).toBe(two.child.pid);
    expect(await two.end()).toBe(0);
    expect((await bench.show(name)).instances).toMatchObject([{ first_sequence: 1, gaps: [] }]);
  });
});

it('counts anew after its machine was put back to an earlier state, and says what that cost', async () => {
  const { name, config } = await server();
  const reach = async (sequence: number) => {
    const one = await start(config);
    const status = await statusBecomes(config, ({ last_accepted }) => (last_accepted?.sequence ?? 0) >= sequence);
    return { one, status };
  };
  const first = await reach(3);
  expect(await first.one.end()).toBe(0);
  const { path } = first.status.outbox;
  const snapshot = readFileSync(path);
  expect(await (await reach(30)).one.end()).toBe(0);
  // As a snapshot does it: the same file, with what it held.
  writeFileSync(path, snapshot);

  const { one } = await reach(1);
  await one.said('It counts anew');
  const { outbox } = await statusBecomes(config, ({ instance }) => instance !== first.status.instance);
  expect(outbox.losses).toEqual([expect.objectContaining({ reason: 'number-taken', count: 1 })]);
  expect(await one.end()).toBe(0);
  const { instances } = await bench.show(name);
  expect(instances).toHaveLength(2);
  for (const each of instances) expect(each).toMatchObject({ first_sequence: 1, gaps: [] });
  expect(instances.find(({ id }) => id !== first.status.instance)).toMatchObject({ duplicates: 0 });
});

describe('a key that the service refuses', () => {
  it('leaves the agent sampling, and a good one by reload brings all of it there at once', async () => {
    const { name, config } = await server();
    const one = await start(config);
    await delivers(config);
    await bench.hubCommand(['server', 'remove', name]);
    const refused = await statusBecomes(config, (status) => status.destinations[0]?.state === 'unauthorized');
    expect(refused.state).toBe('degraded');
    const depth = refused.outbox.depth;
    await statusBecomes(config, (status) => status.outbox.depth > depth);
    expect(count(one.output, 'cannot be delivered')).toBe(1);

    const { key } = await bench.addServer(`${name}-again`);
    edit(config, (text) => text.replace(/key: \w+/, `key: ${key}`));
    one.child.kill('SIGHUP');
    await delivers(config);
    await one.said('heartbeats are delivered again');
    expect((await bench.show(`${name}-again`)).instances[0]?.gaps).toEqual([]);
  });
});
