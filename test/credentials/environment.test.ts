import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AGENT, Bench, Running, run } from '../helpers/programs.ts';
import { type HostUnderTest, host } from '../helpers/rotations.ts';

/* Variables by which Node itself would show a key, or give it to anybody; set in a unit for some other program, and forgotten. */

const bench = new Bench();
const password = randomBytes(16).toString('hex');
const sockets = new Set<Socket>();
/** A proxy that lets through whoever asks. */
const proxy = createServer((socket) => {
  sockets.add(socket.on('error', () => {}));
  socket.once('data', () => {
    const through = connect(bench.port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      through.pipe(socket).pipe(through);
    });
    sockets.add(through.on('error', () => {}));
  });
});
let target: HostUnderTest & { key: string };
/** Every key that the host has had. */
const keys: string[] = [];

beforeAll(async () => {
  process.env.SCOUT_HOST_KEY_FILE = join(bench.folder, 'host.key');
  await bench.startHub();
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { port } = proxy.address() as { port: number };
  target = await host(bench, 'environment', 'multi', `proxy: http://me:${password}@127.0.0.1:${port}\ninterval: 200ms\n`);
  keys.push(target.key);
});
afterAll(async () => {
  await bench.close();
  for (const socket of sockets) socket.destroy();
  proxy.close();
  delete process.env.SCOUT_HOST_KEY_FILE;
});

const COMMANDS = [['heartbeat'], ['--check-config', '--online'], ['rotate'], ['rotate', '--retire-now']];

/** Each command, and a life of the daemon, in an environment; all that they said. */
async function everything(env: NodeJS.ProcessEnv): Promise<string> {
  const said: string[] = [];
  for (const args of COMMANDS) {
    const { status, stdout, stderr } = await run(AGENT, [...args, '--config', target.config], { env });
    expect([args, status, status === 0 ? '' : stderr]).toEqual([args, 0, '']);
    said.push(stdout, stderr);
    keys.push(/key: (\S+)/.exec(readFileSync(target.config, 'utf8'))?.[1] ?? '');
  }
  const agent = new Running(AGENT, ['run', '--config', target.config], env);
  await agent.said('heartbeat accepted with this key');
  expect(await agent.end()).toBe(0);
  return [...said, agent.output].join('\n');
}

/** Which of the secrets stand in a text, also as they are sent to a proxy. */
function shown(text: string): string[] {
  const basic = Buffer.from(`me:${password}`).toString('base64');
  return [...new Set([...keys, password, basic])].filter((secret) => secret === '' || text.includes(secret));
}

it('NODE_DEBUG shows nothing, whatever it names', async () => {
  expect(shown(await everything({ ...process.env, NODE_DEBUG: 'http,https,tls,net,undici,fetch,child_process,stream' }))).toEqual([]);
});

it('SSLKEYLOGFILE and NODE_V8_COVERAGE write nothing by which a key could be read', async () => {
  const [log, folder] = [join(bench.folder, 'tls-keys'), join(bench.folder, 'coverage')];
  const said = await everything({ ...process.env, SSLKEYLOGFILE: log, NODE_V8_COVERAGE: folder });
  expect(existsSync(log)).toBe(false);
  const written = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'));
  expect(written.length).toBeGreaterThan(COMMANDS.length);
  expect(shown([said, ...written].join('\n'))).toEqual([]);
  rmSync(folder, { recursive: true });
});

describe('NODE_TLS_REJECT_UNAUTHORIZED', () => {
  it('sends no key to a service whose certificate nobody vouches for', async () => {
    const added = await host(bench, 'untrusted', 'multi');
    writeFileSync(added.config, readFileSync(added.config, 'utf8').replace(/tls:\n.*\n/, ''));
    const env = { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: '0' };
    for (const args of [['heartbeat'], ['--check-config', '--online'], ['rotate'], ['rotate', '--dry-run']]) {
      const { status, stderr, stdout } = await run(AGENT, [...args, '--config', added.config], { env });
      expect([args, status, /certificate|TLS/.test(stdout + stderr)]).toEqual([args, 69, true]);
    }
    expect(await added.show()).toMatchObject({ instances: [], refused: {}, keys: [{ last_used: null }] });
  });
});
