import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { agent, alive, childrenOf, exposed, statusBecomes, statusOf } from '../helpers/agent-life.ts';
import { AGENT, Bench, freePort, run } from '../helpers/programs.ts';

/* `--daemon` and `stop`, as an administrator or an init script calls them. */

const FAST = 'interval: 100ms\ncollectors: {inventory: false}\nlog: {format: json}\n';
const bench = new Bench();
const pids = new Set<number>();
let names = 0;

beforeAll(() => bench.startHub());
afterEach(() => {
  for (const pid of pids) if (alive(pid)) process.kill(pid, 'SIGKILL');
  pids.clear();
});
afterAll(() => bench.close());

async function server(more = FAST) {
  const name = `host-${++names}`;
  const { key, fingerprint } = await bench.addServer(name);
  return { name, key, fingerprint, config: bench.configure(name, key, more), state: join(bench.folder, `${name}-state`) };
}

/** `scout-agent --daemon`; remembers what it left running. */
async function daemon(config: string, ...args: string[]) {
  const done = await run(AGENT, ['--daemon', '--config', config, ...args]);
  const pid = Number(/process (\d+)/.exec(done.stdout)?.[1]);
  if (pid) pids.add(pid);
  return { ...done, pid };
}

it('returns once the first heartbeat is accepted; writes its number; logs to the state folder; `stop` ends it', async () => {
  const { config, state, fingerprint } = await server();
  const pidFile = join(bench.folder, 'agent.pid');
  const { status, stdout, pid } = await daemon(config, '--pid-file', pidFile);
  expect({ status, stdout }).toEqual({
    status: 0,
    stdout: expect.stringContaining(`accepted by ${bench.endpoint} with key ${fingerprint}`),
  });
  expect(readFileSync(pidFile, 'utf8')).toBe(`${pid}\n`);
  expect((await statusOf(config)).pid).toBe(pid);
  expect(readFileSync(join(state, 'agent.log'), 'utf8')).toContain('"started"');

  expect((await daemon(config)).status).toBe(75);
  expect(alive(pid)).toBe(true);

  expect((await agent(config, 'stop')).status).toBe(0);
  expect(alive(pid)).toBe(false);
  expect((await agent(config, 'stop')).status).not.toBe(0);
});

it('returns 0 while the service is down, and says that the heartbeat is kept', async () => {
  const { config } = await server();
  writeFileSync(config, readFileSync(config, 'utf8').replace(bench.endpoint, `https://127.0.0.1:${await freePort()}`));
  const { status, stdout } = await daemon(config);
  expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringMatching(/kept in the outbox, as .*nothing listens/) });
  expect((await agent(config, 'stop')).status).toBe(0);
  expect(JSON.parse((await agent(config, 'outbox', 'stats', '--json')).stdout).depth).toBeGreaterThan(0);
});

it('returns 77 for a key that the service refuses, and leaves nothing running', async () => {
  const { config } = await server();
  const wrong = 'ab'.repeat(32);
  writeFileSync(config, readFileSync(config, 'utf8').replace(/key: \w+/, `key: ${wrong}`));
  const { status, stdout, stderr } = await daemon(config);
  expect(status).toBe(77);
  expect(stderr).toContain('KEY_REFUSED');
  expect(stdout + stderr).not.toContain(wrong);
  expect((await agent(config, 'status')).status).not.toBe(0);
});

it('returns 78 for a configuration that is broken, with every fault', async () => {
  const { config, state } = await server(`${FAST}colour: red\nintervall: 3\n`);
  const { status, stderr } = await daemon(config);
  expect(status).toBe(78);
  expect(stderr).toContain('colour');
  expect(stderr).toContain('intervall');
  expect(existsSync(join(state, 'run'))).toBe(false);
});

it.each(['--state-dir', '--runtime-dir', '--log-file', '--pid-file'])(
  'names what %s cannot be, and leaves nothing running',
  async (option) => {
    const { config } = await server();
    // A file in the place of a folder keeps root out as well.
    const file = join(bench.folder, `file${option}`);
    writeFileSync(file, '');
    const path = option.endsWith('file') ? join(file, 'inside') : file;
    const { status, stderr } = await daemon(config, option, path);
    expect({ status, stderr }).toEqual({ status: 77, stderr: expect.stringContaining('FILE_UNWRITABLE') });
    expect(stderr).toContain(file);
    expect((await agent(config, 'status')).status).toBe(1);
    if (option === '--pid-file') return;
    const run = await agent(config, 'run', option, path);
    expect({ status: run.status, stderr: run.stderr }).toEqual({ status: 77, stderr: expect.stringContaining('error FILE_UNWRITABLE') });
  },
);

it('sends two heartbeats that are asked for at once, where none runs, one after the other', async () => {
  const { config } = await server();
  const done = await Promise.all([agent(config, 'heartbeat', '--json'), agent(config, 'heartbeat', '--json')]);
  expect(done.map(({ status, stderr }) => ({ status, stderr }))).toEqual([0, 0].map((status) => ({ status, stderr: '' })));
  expect(done.map(({ stdout }) => JSON.parse(stdout).sequence).toSorted()).toEqual([1, 2]);
});

it('leaves no file with its number when it did not start', async () => {
  const { config } = await server(`${FAST}colour: red\n`);
  const pidFile = join(bench.folder, 'never.pid');
  expect((await daemon(config, '--pid-file', pidFile)).status).toBe(78);
  writeFileSync(
    config,
    readFileSync(config, 'utf8')
      .replace('colour: red\n', '')
      .replace(/key: \w+/, `key: ${'ab'.repeat(32)}`),
  );
  expect((await daemon(config, '--pid-file', pidFile)).status).toBe(77);
  expect(existsSync(pidFile)).toBe(false);
});

it('names a state folder whose lock cannot be taken', async () => {
  const { config, state } = await server();
  mkdirSync(join(state, 'agent.lock'), { recursive: true });
  const { status, stderr } = await daemon(config);
  expect(status).not.toBe(0);
  expect(stderr).toContain('FILE_UNWRITABLE');
  expect(stderr).toContain(join(state, 'agent.lock'));
});

it('opens its log anew by SIGHUP', async () => {
  const { config, state } = await server();
  const { pid } = await daemon(config);
  const log = join(state, 'agent.log');
  renameSync(log, `${log}.1`);
  process.kill(pid, 'SIGHUP');
  await expect.poll(() => existsSync(log) && readFileSync(log, 'utf8')).toContain('configuration reloaded');
  // And what Node itself would print at a crash, where node:ffi can have it follow.
  if (process.platform === 'linux') for (const fd of [1, 2]) expect(readlinkSync(`/proc/${pid}/fd/${fd}`)).toBe(log);
});

it('never shows a key: not in its log, its arguments or its environment, nor in those of its children, nor in any file of its own', async () => {
  const { config, key, state } = await server();
  chmodSync(config, 0o600);
  const { pid, stdout, stderr } = await daemon(config, '--log-level', 'debug');
  const seen = [stdout, stderr, exposed(pid)];
  // A child just forked still shows its parent's arguments, and may be gone before it is looked at: ask until one was seen.
  await expect
    .poll(
      () => {
        const looked = childrenOf(pid).map(exposed);
        seen.push(...looked);
        process.kill(pid, 'SIGHUP');
        return looked.join();
      },
      { interval: 5 },
    )
    .toContain('resolve-config');
  const text = JSON.stringify(await statusBecomes(config, (status) => status.last_accepted !== null));
  expect((await agent(config, 'stop')).status).toBe(0);
  for (const file of readdirSync(state, { recursive: true, withFileTypes: true }))
    if (file.isFile()) seen.push(readFileSync(join(file.parentPath, file.name), 'latin1'));
  expect([text, ...seen].filter((one) => one.includes(key))).toEqual([]);
});
