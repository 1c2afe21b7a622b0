import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/*
 * The two programs as a user runs them: real processes of the built bundles, real TLS on loopback, real files. Every
 * process started here is ended here, by its id.
 */

const root = fileURLToPath(new URL('../..', import.meta.url));
export const AGENT = join(root, 'bin/scout-agent.js');
export const HUB = join(root, 'bin/scout-hub.js');

/** What a finished command left. */
export interface Done {
  status: number;
  stdout: string;
  stderr: string;
}

/** How a program is started: a script by this Node, and what is a program by itself as such. */
const started = (program: string, args: string[]): [string, string[]] =>
  /\.m?[jt]s$/.test(program) ? [process.execPath, [program, ...args]] : [program, args];

/** Runs one of the programs to its end. */
export function run(
  program: string,
  args: string[],
  options: { input?: string; env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Promise<Done> {
  return new Promise((resolve) => {
    const settings = {
      encoding: 'utf8' as const,
      maxBuffer: 64 << 20,
      env: options.env ?? process.env,
      ...(options.cwd && { cwd: options.cwd }),
    };
    const child = execFile(...started(program, args), settings, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === 'number' ? error.code : 255) : 0;
      resolve({ status: code, stdout, stderr });
    });
    child.stdin?.end(options.input ?? '');
  });
}

/**
 * A port of loopback that nothing listens on, from below those that Linux gives to outgoing connections: one of these could
 * take it before the server that it is meant for does, or between that server's end and its next start.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(16_384, 32_768);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

/** A long-running program, with all that it said. */
export class Running {
  /** Those that have not ended: a test that fails leaves its own behind. */
  static readonly alive = new Set<Running>();
  readonly child: ChildProcess;
  readonly args: string[];
  readonly ended: Promise<number | NodeJS.Signals>;
  output = '';
  #waiting: { text: string; resolve: () => void }[] = [];

  constructor(program: string, args: string[], env: NodeJS.ProcessEnv = process.env) {
    this.args = args;
    this.child = spawn(...started(program, args), { stdio: ['ignore', 'pipe', 'pipe'], env });
    Running.alive.add(this);
    this.child.once('close', () => Running.alive.delete(this));
    this.ended = new Promise((resolve) => this.child.once('close', (code, signal) => resolve(code ?? (signal as NodeJS.Signals))));
    for (const stream of [this.child.stdout, this.child.stderr]) stream?.on('data', (chunk: Buffer) => this.#take(String(chunk)));
  }

  /** Waits until the program has said a text; rejects when it ends before. */
  async said(text: string): Promise<void> {
    if (this.output.includes(text)) return;
    const heard = new Promise<void>((resolve) => this.#waiting.push({ text, resolve }));
    const ended = this.ended.then((how) => Promise.reject(new Error(`ended (${how}) without saying "${text}":\n${this.output}`)));
    await Promise.race([heard, ended]);
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | NodeJS.Signals> {
    this.child.kill(signal);
    return this.ended;
  }

  #take(text: string): void {
    this.output += text;
    this.#waiting = this.#waiting.filter((one) => {
      if (!this.output.includes(one.text)) return true;
      one.resolve();
      return false;
    });
  }
}

/** What `scout-hub server show --json` says of a server. */
export interface Shown {
  server_id: string;
  name: string;
  instances: {
    id: string;
    first_sequence: number;
    last_sequence: number;
    accepted: number;
    duplicates: number;
    gaps: [number, number][];
  }[];
  refused: Record<string, number>;
}

/** A temporary folder with a hub in it, and configurations for agents that report to it. */
export class Bench {
  readonly folder = mkdtempSync(join(os.tmpdir(), 'scout-'));
  readonly data = join(this.folder, 'hub');
  port = 0;
  hub: Running | undefined;

  /** Starts the hub, on the same port each time. */
  async startHub(...options: string[]): Promise<void> {
    this.port ||= await freePort();
    this.hub = new Running(HUB, ['serve', '--listen', `127.0.0.1:${this.port}`, '--data', this.data, '--tls-self-signed', ...options]);
    await this.hub.said('ready');
  }

  get endpoint(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  get ca(): string {
    return readFileSync(join(this.data, 'ca.pem'), 'utf8');
  }

  async hubCommand(args: string[], input?: string): Promise<string> {
    const done = await run(HUB, [...args, '--data', this.data], input === undefined ? {} : { input });
    if (done.status !== 0) throw new Error(`scout-hub ${args.join(' ')}: exit ${done.status}\n${done.stderr}`);
    return done.stdout;
  }

  async addServer(name: string): Promise<{ key: string; fingerprint: string }> {
    return JSON.parse(await this.hubCommand(['server', 'add', name, '--json']));
  }

  async show(name: string): Promise<Shown> {
    return JSON.parse(await this.hubCommand(['server', 'show', name, '--json']));
  }

  /** Writes `agent.yml` for an agent with its own state folder; `more` is further YAML, `service` another one than the hub. */
  configure(name: string, key: string, more = '', service = { endpoint: this.endpoint, ca: join(this.data, 'ca.pem') }): string {
    const path = join(this.folder, `${name}.yml`);
    const state = join(this.folder, `${name}-state`);
    writeFileSync(
      path,
      `api:
  endpoint: ${service.endpoint}
  key: ${key}
tls:
  ca_file: ${service.ca}
state_dir: ${state}
runtime_dir: ${join(state, 'run')}
${more}`,
      { mode: 0o600 },
    );
    return path;
  }

  async close(): Promise<void> {
    const mine = [...Running.alive].filter(({ args }) => args.some((arg) => arg.includes(this.folder)));
    await Promise.all(mine.map((one) => (one === this.hub ? one.end() : one.end('SIGKILL'))));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
