import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createPlain, type Server } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect } from 'vitest';
import { makeAuthority, makeLeaf } from '../../src/hub/tls/certificates.ts';
import { statusBecomes } from '../helpers/agent-life.ts';
import { AGENT } from '../helpers/programs.ts';
import { configuration, yaml } from './check.ts';
import { type Hunt, type Left, together } from './hunt.ts';

/* The daemon with everything logged: reporting, refused by a service that repeats what it is sent, stopped, killed, aborted. */

const LOUD = 'interval: 50ms\nlog: {level: trace, format: json}\ncollectors: {inventory: false}\n';

/** A server of the hub, with the key that it printed. */
export async function addServer(hunt: Hunt, name: string, policy = 'grace'): Promise<string> {
  const { stdout } = await hunt.hubCommand('hub shows a new key', ['server', 'add', name, '--policy', policy, '--json']);
  return hunt.needles.add('key of the hub', name, (JSON.parse(stdout) as { key: string }).key);
}

/** Starts the daemon and waits until it runs. */
export const daemon = (hunt: Hunt, label: string, config: string, env = hunt.env, through: string[] = []): Promise<Left> =>
  hunt.leave(label, AGENT, ['run', '--config', config], { until: '"started"', env, through });

/** A configuration with a state folder of its own. */
export function own(hunt: Hunt, name: string, key: string, more = ''): string {
  const text = yaml(hunt, key, LOUD + more).replaceAll(hunt.path('state'), hunt.path(`state-${name}`));
  return configuration(hunt, `${name}.yml`, text);
}

/** Reports, is reloaded with faults in its configuration, and ends in each of the ways in which a process can. */
export async function lives(hunt: Hunt): Promise<void> {
  const key = await addServer(hunt, 'lives');
  const config = own(hunt, 'lives', key);
  const good = yaml(hunt, key, LOUD).replaceAll(hunt.path('state'), hunt.path('state-lives'));
  let agent = await daemon(hunt, 'daemon', config);
  await statusBecomes(config, ({ last_accepted }) => (last_accepted?.sequence ?? 0) > 5);
  for (const verb of ['status', 'status --json', 'heartbeat', 'heartbeat --json', 'outbox stats'])
    expect((await hunt.agent(`${verb}, of a daemon`, [...verb.split(' '), '--config', config])).status).toBe(0);
  agent.child.kill('SIGUSR2');
  const pasted = hunt.needles.key('reloaded with faults', 'pasted key');
  for (const fault of [good.replace(key, `${pasted}0`), good.replace(key, `"${pasted}`), `${pasted}: 1\n${good}`]) {
    writeFileSync(config, fault);
    agent.output = '';
    agent.child.kill('SIGHUP');
    await agent.said('the new configuration is not in force');
  }
  // Another key, which the service refuses.
  writeFileSync(config, good.replace(key, hunt.needles.key('refused', 'pasted key')));
  await statusBecomes(config, ({ destinations }) => destinations.some(({ problem }) => problem !== null));
  writeFileSync(config, good);
  await statusBecomes(config, ({ destinations }) => destinations.every(({ problem }) => problem === null));
  await agent.end('SIGTERM');
  for (const signal of ['SIGKILL', 'SIGQUIT', 'SIGABRT'] as const) {
    agent = await daemon(hunt, `daemon, ${signal}`, config);
    await statusBecomes(config, ({ last_accepted }) => last_accepted !== null);
    expect((await agent.end(signal)).status).toBe(signal);
  }
  // As the unit has it (LimitCORE=0), then as a host may have it that keeps core dumps.
  const limited = (limit: string) => ['sh', '-c', `ulimit -c ${limit}; exec "$@"`, 'sh'];
  const cores = () => readdirSync(hunt.path('cwd')).filter((name) => name.startsWith('core'));
  for (const limit of ['0', 'unlimited']) {
    agent = await daemon(hunt, `daemon, core ${limit}`, config, hunt.env, limited(limit));
    await statusBecomes(config, ({ last_accepted }) => last_accepted !== null);
    await agent.end('SIGABRT');
    if (limit === '0') expect(cores()).toEqual([]);
  }
  const background = ['--daemon', '--config', config, '--log-file', hunt.path('daemon.log'), '--pid-file', hunt.path('daemon.pid')];
  expect((await hunt.agent('--daemon', background)).status).toBe(0);
  expect((await hunt.agent('stop', ['stop', '--config', config])).status).toBe(0);
}

/** A fault that nobody catches, in the daemon and in its checker, with Node's own reports switched on. */
export async function uncaught(hunt: Hunt): Promise<void> {
  const config = own(hunt, 'uncaught', await addServer(hunt, 'uncaught'));
  const boom = hunt.path('boom.cjs');
  writeFileSync(boom, "setTimeout(() => { throw new Error('boom'); }, Number(process.env.BOOM_MS));\n");
  const report = `--report-uncaught-exception --report-directory=${hunt.path('tmp')}`;
  const env = { ...hunt.env, NODE_OPTIONS: `--require ${boom} ${report}`, BOOM_MS: '1500' };
  const { status } = await hunt.agent('uncaught, daemon', ['run', '--config', config], { env });
  expect(status).not.toBe(0);
  for (const args of [['--check-config'], ['heartbeat'], ['encrypt-value', '--in-place']])
    await hunt.agent('uncaught, command', [...args, '--config', config], { env: { ...env, BOOM_MS: '60' } });
  expect(readdirSync(hunt.path('tmp')).filter((name) => name.startsWith('report.')).length).toBeGreaterThan(0);
}

/** How many ways the service below has to refuse. */
export const ANSWERS = 8;

/** Repeats whatever it was sent, in each way in which a service can refuse. */
export class Echo {
  readonly #hunt: Hunt;
  readonly #server: Server;
  readonly ca: string;
  turn = 0;
  asked = 0;

  constructor(hunt: Hunt) {
    const authority = makeAuthority('echo', Date.now() - 86_400_000);
    const leaf = makeLeaf(authority, 'echo', ['127.0.0.1'], Date.now());
    this.#hunt = hunt;
    // Its own: several stand side by side, each with another authority.
    this.ca = hunt.path(`echo-${randomBytes(4).toString('hex')}.pem`);
    writeFileSync(this.ca, authority.cert);
    this.#server = createServer({ cert: leaf.cert, key: leaf.key }, (request, response) => this.#answer(request, response));
  }

  async start(): Promise<string> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const bearer = /^Bearer ([\w-]+\.[\w-]+\.([\w-]+))$/.exec(request.headers.authorization ?? '');
    if (bearer?.[2]) this.#hunt.needles.add('bearer', 'made for the service', bearer[2]);
    const all = JSON.stringify(request.headers);
    const { 'x-api-key': key = '', authorization = '' } = request.headers as Record<string, string>;
    const secret = key || authorization;
    const basic = Buffer.from(`me:${secret}`).toString('base64');
    const detail = `you sent ${all}, which is ${basic} or ${Buffer.from(secret).toString('hex')} or ${encodeURIComponent(secret)}`;
    const problem = { type: 'about:blank', title: secret, status: 401, detail, code: secret, fingerprint: secret, slot: secret };
    request.resume();
    this.turn += 1;
    this.asked += 1;
    const answers: [number, string, string][] = [
      [401, 'application/problem+json', JSON.stringify(problem)],
      [403, 'application/problem+json', JSON.stringify({ ...problem, status: 403 })],
      [401, 'text/html', `<h1>${detail}</h1>`],
      [500, 'application/json', JSON.stringify(problem)],
      [200, 'text/html', detail],
      [200, 'application/json', JSON.stringify({ ...problem, accepted: 1, duplicates: 0 })],
      [200, 'application/json', `{"accepted": "${secret}`],
      [302, secret, detail],
    ];
    const [status, type, body] = answers[this.turn % answers.length] as (typeof answers)[number];
    response.writeHead(status, {
      'content-type': type.replace(/[^\w/+.-]/g, '_'),
      location: `https://x/?${encodeURIComponent(secret)}`,
      'retry-after': '0',
    });
    response.end(body);
  }
}

/** What a service, or a proxy before it, may send back is not to be believed, nor to be printed. */
export async function echoed(hunt: Hunt): Promise<number> {
  const { needles } = hunt;
  const proxy = createPlain().on('connect', (request, socket) => {
    const sent = `${request.headers['proxy-authorization']}`;
    socket.end(`HTTP/1.1 407 ${sent}\r\nProxy-Authenticate: Basic realm="${sent}"\r\n\r\n${sent}`);
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  const { port } = proxy.address() as AddressInfo;
  const password = needles.password('echoed', 'proxy password');
  const pair = needles.privateKey('echoed');
  const jwt = `credential_id: me\n  private_key: |\n    ${pair.pem.trim().replaceAll('\n', '\n    ')}`;
  const configs = [
    own(hunt, 'echoed', needles.key('echoed')),
    own(hunt, 'echoed-bearer', `${needles.key('echoed, bearer')}\n  auth: bearer`),
    rewritten(hunt, own(hunt, 'echoed-jwt', 'x'), (text) => text.replace('key: x', jwt)),
  ];
  const proxied = own(
    hunt,
    'echoed-proxy',
    needles.key('echoed, proxy'),
    `proxy: "http://me:${encodeURIComponent(password)}@127.0.0.1:${port}"\n`,
  );
  let asked = 0;
  try {
    await together([...configs, proxied], async (file) => {
      // Not in one line: it would add to what stood there before the wait.
      const count = await repeated(hunt, file, file === proxied);
      asked += count;
    });
  } finally {
    proxy.close();
    proxy.closeAllConnections();
  }
  return asked;
}

/** One configuration, against each way to refuse; returns how often the service was asked. */
async function repeated(hunt: Hunt, file: string, isProxied: boolean): Promise<number> {
  const echo = new Echo(hunt);
  const endpoint = await echo.start();
  const toEcho = (text: string) => text.replace(hunt.bench.endpoint, endpoint).replace(hunt.path('hub/ca.pem'), echo.ca);
  const config = isProxied ? file : rewritten(hunt, file, toEcho);
  try {
    for (let turn = 0; turn < ANSWERS; turn += 1) {
      echo.turn = turn;
      const agent = await daemon(hunt, `daemon, echoed ${config.split('/').at(-1)}`, config);
      await statusBecomes(config, ({ destinations }) => destinations.some(({ problem, last_accepted }) => problem ?? last_accepted));
      await hunt.agent('status, echoed', ['status', '--json', '--config', config]);
      await agent.end();
      // Without a daemon the commands ask by themselves.
      for (const args of [
        ['heartbeat', '--json'],
        ['--check-config', '--online', '--json'],
      ]) {
        echo.turn = turn;
        await hunt.agent(`${args.join(' ')}, echoed`, [...args, '--config', config]);
      }
    }
  } finally {
    echo.stop();
  }
  return echo.asked;
}

function rewritten(hunt: Hunt, file: string, edit: (text: string) => string): string {
  const name = file.split('/conf-').at(-1) as string;
  return configuration(hunt, name, edit(readFileSync(file, 'utf8')));
}
