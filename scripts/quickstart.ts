/**
 * `npm run quickstart`: hub and agent of this clone, running, with real heartbeats, all under .quickstart/.
 * Run again, it picks up where it was. `npm run quickstart:stop` ends both; the folder may then be deleted.
 */
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:net';
import os from 'node:os';
import { relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const home = `${root}.quickstart`;
const files = {
  config: `${home}/config.yml`,
  password: `${home}/admin-password`,
  hubData: `${home}/hub`,
  hubLog: `${home}/hub.log`,
  hubPid: `${home}/hub.pid`,
  hubPort: `${home}/hub.port`,
  agentState: `${home}/agent`,
};
const AGENT = `${root}bin/scout-agent.js`;
const HUB = `${root}bin/scout-hub.js`;
const NAME = os.hostname().toLowerCase();
const ca = () => readFileSync(`${files.hubData}/ca.pem`, 'utf8');
const shown = (path: string) => relative(process.cwd(), path) || path;

class Failed extends Error {}

const say = (text: string) => process.stdout.write(`${text}\n`);
const step = (text: string) => say(`• ${text}`);

function program(path: string, args: string[], input?: string): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [path, ...args], { encoding: 'utf8', ...(input !== undefined && { input }) });
}

/** The output of a command of ours, which must succeed. */
function must(what: string, done: SpawnSyncReturns<string>): string {
  if (done.status !== 0) throw new Failed(`${what} failed (exit ${done.status}):\n${done.stderr}${done.stdout}`);
  return done.stdout;
}

/** The hub's process, when the one whose number we wrote down is still it. */
function hubProcess(): number | undefined {
  if (!existsSync(files.hubPid)) return undefined;
  const pid = Number(readFileSync(files.hubPid, 'utf8'));
  try {
    process.kill(pid, 0);
    const line = existsSync('/proc/self/cmdline') ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : files.hubData;
    return line.includes(files.hubData) ? pid : undefined;
  } catch {
    return undefined;
  }
}

async function freePort(first: number): Promise<number> {
  for (let port = first; port < first + 100; port += 1) {
    const taken = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port });
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
    if (!taken) return port;
  }
  throw new Failed(`no free port from ${first} on`);
}

function ready(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request({ host: '127.0.0.1', port, path: '/readyz', ca: ca(), timeout: 2_000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(false));
    call.end();
  });
}

/** Asks again until it is so; each step has its own limit. */
async function until(what: string, seconds: number, check: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + seconds * 1_000;
  while (!(await check())) {
    if (performance.now() > end) throw new Failed(`${what}: not within ${seconds} s`);
    await delay(100);
  }
}

async function startHub(): Promise<number> {
  const running = hubProcess();
  if (running !== undefined) {
    const port = Number(readFileSync(files.hubPort, 'utf8'));
    step(`scout-hub runs already (process ${running}, port ${port})`);
    return port;
  }
  // The agent's configuration names the port, so a port once chosen stays.
  const port = existsSync(files.hubPort) ? Number(readFileSync(files.hubPort, 'utf8')) : await freePort(8443);
  const log = openSync(files.hubLog, 'a', 0o600);
  const child = spawn(process.execPath, [HUB, 'serve', '--listen', `127.0.0.1:${port}`, '--data', files.hubData, '--tls-self-signed'], {
    detached: true,
    stdio: ['ignore', log, log],
  });
  let ended = false;
  child.once('exit', () => {
    ended = true;
  });
  child.unref();
  writeFileSync(files.hubPid, `${child.pid}\n`);
  writeFileSync(files.hubPort, `${port}\n`);
  await until(`scout-hub did not come up; see ${shown(files.hubLog)}`, 20, async () => {
    if (ended) throw new Failed(`scout-hub ended at once:\n${readFileSync(files.hubLog, 'utf8').slice(-2_000)}`);
    return existsSync(`${files.hubData}/ca.pem`) && (await ready(port));
  });
  step(`scout-hub started (process ${child.pid}): https://127.0.0.1:${port}, own certificate authority, SQLite in ${shown(files.hubData)}`);
  return port;
}

function addUser(): void {
  if (existsSync(files.password)) return;
  const password = randomBytes(12).toString('base64url');
  must('scout-hub user add', program(HUB, ['user', 'add', 'admin', '--role', 'admin', '--data', files.hubData], `${password}\n`));
  writeFileSync(files.password, `${password}\n`, { mode: 0o600 });
  step(`user admin added; the password is in ${shown(files.password)}`);
}

function register(port: number): void {
  if (existsSync(files.config)) {
    step(`this host is registered already: ${shown(files.config)}`);
    return;
  }
  const added = JSON.parse(
    must('scout-hub server add', program(HUB, ['server', 'add', NAME, '--policy', 'grace', '--data', files.hubData, '--json'])),
  );
  writeFileSync(
    files.config,
    `# Written by npm run quickstart. The key stands here and, as SHA-256 only, in the hub.
api:
  endpoint: https://127.0.0.1:${port}
  key: ${added.key}
tls:
  ca_file: ${files.hubData}/ca.pem
interval: 10s
state_dir: ${files.agentState}
runtime_dir: ${files.agentState}/run
`,
    { mode: 0o600 },
  );
  step(`registered this host as ${NAME}; its key (fingerprint ${added.fingerprint}) is in ${shown(files.config)}, mode 0600`);
}

interface Status {
  pid: number;
  key: { fingerprint: string | null };
  destinations: { accepted: number }[];
}

function agentStatus(): Status | undefined {
  const done = program(AGENT, ['status', '--json', '--config', files.config]);
  return done.status === 0 ? JSON.parse(done.stdout) : undefined;
}

async function startAgent(): Promise<Status> {
  const running = agentStatus();
  if (running) step(`scout-agent runs already (process ${running.pid})`);
  else {
    const said = must('scout-agent --daemon', program(AGENT, ['--daemon', '--config', files.config]));
    step(`scout-agent started: ${said.trim()}`);
  }
  let status = running;
  await until('no heartbeat was accepted', 30, () => {
    status = agentStatus();
    return (status?.destinations[0]?.accepted ?? 0) > 0;
  });
  return status as Status;
}

async function start(): Promise<void> {
  const began = performance.now();
  mkdirSync(home, { recursive: true, mode: 0o700 });
  chmodSync(home, 0o700);
  const built = spawnSync(process.execPath, [`${root}scripts/build.ts`], { stdio: 'inherit' });
  if (built.status !== 0) throw new Failed('the build failed: see above');
  step('built dist/agent and dist/hub');
  const port = await startHub();
  addUser();
  register(port);
  const status = await startAgent();
  const fleet = must('scout-hub server list', program(HUB, ['server', 'list', '--data', files.hubData]));
  say(`\n${fleet.trimEnd()}\n`);
  say(`Running after ${((performance.now() - began) / 1_000).toFixed(1)} s, with a heartbeat every 10 s.

  the fleet page   https://127.0.0.1:${port}/   (its certificate authority: ${shown(files.hubData)}/ca.pem)
  sign in as       admin, with the password in ${shown(files.password)}
  key              fingerprint ${status.key.fingerprint}
  the agent says   node bin/scout-agent.js status --config ${shown(files.config)}
  its log          ${shown(files.agentState)}/agent.log
  replace its key  node bin/scout-agent.js rotate --config ${shown(files.config)}
  stop it all      npm run quickstart:stop`);
}

async function stop(): Promise<void> {
  if (existsSync(files.config) && agentStatus()) {
    must('scout-agent stop', program(AGENT, ['stop', '--config', files.config]));
    step('scout-agent stopped');
  } else step('scout-agent was not running');
  const pid = hubProcess();
  if (pid === undefined) {
    step('scout-hub was not running');
    return;
  }
  process.kill(pid, 'SIGTERM');
  await until('scout-hub did not end', 15, () => hubProcess() === undefined);
  step('scout-hub stopped');
  say(`What they kept is in ${shown(home)}; delete the folder to begin anew.`);
}

try {
  await (process.argv[2] === 'stop' ? stop() : start());
} catch (error) {
  process.stderr.write(`\n✗ ${error instanceof Failed ? error.message : error instanceof Error ? error.stack : error}\n`);
  process.exitCode = 1;
}
