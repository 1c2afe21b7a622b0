import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AGENT, Bench, freePort, HUB } from '../helpers/programs.ts';
import { Needles, type Sighting } from './needles.ts';
import { Watcher } from './watcher.ts';

/** Where secrets were seen: `output: LABEL`, `arguments: COMMAND`, `environment: COMMAND`, or the path of a file. */
export interface Finding extends Sighting {
  place: string;
}

/** A place where a secret must be, and why. */
export interface Allowed {
  place: RegExp;
  kinds: Sighting['kind'][];
  /** Labels of the canaries; all of them unless named. */
  label?: RegExp;
  reason: string;
}

export interface Ended {
  status: number | NodeJS.Signals;
  stdout: string;
  stderr: string;
}

interface Settings {
  input?: string;
  env?: NodeJS.ProcessEnv;
  /** In place of Node and the launcher: another command line, with the program's at its end. */
  through?: string[];
  /** Left running: resolves once this was said. */
  until?: string;
}

/** A program that was left running. */
export class Left {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  output = '';
  #over = false;
  #waiting: (() => void)[] = [];

  constructor(child: ChildProcess, done: (output: Ended) => void) {
    this.child = child;
    const [stdout, stderr] = [child.stdout, child.stderr].map((stream) => {
      const said: string[] = [];
      stream?.on('data', (chunk: Buffer) => {
        said.push(chunk.toString('latin1'));
        this.#take(String(chunk));
      });
      return said;
    }) as [string[], string[]];
    this.ended = new Promise((resolve) =>
      child.once('close', (code, signal) => {
        const ended = { status: code ?? (signal as NodeJS.Signals), stdout: stdout.join(''), stderr: stderr.join('') };
        this.#over = true;
        done(ended);
        this.#wake();
        resolve(ended);
      }),
    );
  }

  /** Waits until it has said a text, or throws once it has ended without. */
  async said(text: string): Promise<void> {
    while (!this.output.includes(text)) {
      if (this.#over) throw new Error(`it ended without saying "${text}":\n${this.output}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    this.child.kill(signal);
    return this.ended;
  }

  #take(text: string): void {
    this.output += text;
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** One hunt: secrets are let loose in a folder of its own, and afterwards everything that was left is searched. */
export class Hunt {
  readonly needles = new Needles();
  readonly bench = new Bench();
  readonly env: NodeJS.ProcessEnv;
  hub: Left | undefined;
  readonly #watcher: Watcher;
  readonly #outputs = new Map<string, string[]>();
  readonly #left = new Set<Left>();

  constructor() {
    const mark = randomBytes(8).toString('hex');
    for (const name of ['tmp', 'home', 'cwd', 'keys', 'run']) mkdirSync(this.path(name));
    const { PATH, LANG } = process.env;
    this.env = {
      PATH,
      LANG,
      HOME: this.path('home'),
      TMPDIR: this.path('tmp'),
      XDG_RUNTIME_DIR: this.path('run'),
      SCOUT_HOST_KEY_FILE: this.path('keys', 'host.key'),
      NO_COLOR: '1',
      // Not SCOUT_…: such a name would be taken for a setting.
      HUNT_MARK: mark,
    };
    this.#watcher = new Watcher(`HUNT_MARK=${mark}`);
  }

  path(...parts: string[]): string {
    return join(this.bench.folder, ...parts);
  }

  /** Starts the watch and the hub. */
  async start(): Promise<void> {
    this.bench.port = await freePort();
    this.#watcher.start();
    await this.startHub();
  }

  /** Starts the hub, with all that it can log. */
  async startHub(): Promise<void> {
    const args = ['serve', '--listen', `127.0.0.1:${this.bench.port}`, '--data', this.bench.data, '--tls-self-signed'];
    this.hub = await this.leave('hub', HUB, args, { until: 'ready', env: { ...this.env, SCOUT_LOG_LEVEL: 'trace' } });
  }

  /** Runs a command of scout-agent to its end. */
  agent(label: string, args: string[], settings: Settings = {}): Promise<Ended> {
    return this.#spawn(label, AGENT, args, settings).ended;
  }

  /** Runs a command of scout-hub to its end, on the hub's data. */
  hubCommand(label: string, args: string[], settings: Settings = {}): Promise<Ended> {
    return this.#spawn(label, HUB, [...args, '--data', this.bench.data], settings).ended;
  }

  /** Starts a program that goes on. */
  async leave(label: string, program: string, args: string[], settings: Settings & { until: string }): Promise<Left> {
    const left = this.#spawn(label, program, args, settings);
    await left.said(settings.until);
    return left;
  }

  /** Types at the prompts of a command on a terminal, each once it stands there. */
  async typed(label: string, program: string, args: string[], ...answers: [prompt: string, text: string][]): Promise<Ended> {
    const line = [process.execPath, program, ...args].map((part) => `'${part}'`).join(' ');
    const left = this.#spawn(label, '', [], { through: ['script', '-qec', line, '/dev/null'] });
    for (const [prompt, text] of answers) {
      await left.said(prompt);
      left.child.stdin?.write(`${text}\r`);
    }
    return left.ended;
  }

  /** Has a text searched that some program of ours gave out elsewhere. */
  note(label: string, text: string): void {
    this.#outputs.set(label, [...(this.#outputs.get(label) ?? []), text]);
  }

  #spawn(label: string, program: string, args: string[], settings: Settings): Left {
    const own = program === '' ? [] : [process.execPath, program, ...args];
    const [command = '', ...rest] = [...(settings.through ?? []), ...own];
    const child = spawn(command, rest, { cwd: this.path('cwd'), env: settings.env ?? this.env, stdio: 'pipe' });
    child.stdin.on('error', () => {});
    const left = new Left(child, ({ stdout, stderr }) => {
      this.note(label, `${stdout}\n${stderr}`);
      this.#left.delete(left);
    });
    this.#left.add(left);
    if (!settings.through?.includes('script')) child.stdin.end(settings.input ?? '');
    return left;
  }

  /** Everything that was seen anywhere. */
  findings(): Finding[] {
    this.#watcher.stop();
    const found = new Map<string, Finding>();
    const look = (place: string, bytes: Buffer | string) => {
      for (const one of this.needles.search(Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes, 'latin1')))
        found.set(`${place} ${one.kind} ${one.label} ${one.form}`, { place, ...one });
    };
    for (const [label, texts] of this.#outputs) look(`output: ${label}`, texts.join('\n'));
    for (const [command, environments] of this.#watcher.seen) {
      const name = command
        .split('\0')
        .filter((part) => !part.startsWith('--') || part === '--check-config')
        .slice(0, 6)
        .join(' ');
      look(`arguments: ${this.#short(name)}`, command);
      look(`environment: ${this.#short(name)}`, [...environments].join('\n'));
    }
    look('names of files', readdirSync(this.bench.folder, { recursive: true, encoding: 'utf8' }).join('\n'));
    for (const file of filesUnder(this.bench.folder)) look(relative(this.bench.folder, file), readFileSync(file));
    const dist = fileURLToPath(new URL('../../dist', import.meta.url));
    for (const file of filesUnder(dist)) look(`dist: ${relative(dist, file)}`, readFileSync(file));
    return [...found.values()];
  }

  /** Command lines of all processes of ours that were seen. */
  get commands(): string[] {
    return [...this.#watcher.seen.keys()].map((command) => command.replaceAll('\0', ' '));
  }

  #short(command: string): string {
    return command
      .replaceAll(this.bench.folder, '…')
      .replaceAll(process.execPath, 'node')
      .replaceAll(AGENT, 'scout-agent')
      .replaceAll(HUB, 'scout-hub');
  }

  async close(): Promise<void> {
    this.#watcher.stop();
    for (const left of [...this.#left]) await left.end('SIGKILL');
    await this.bench.close();
  }
}

/** Works through independent jobs, some at a time: most of each is waiting. */
export async function together<T>(jobs: readonly T[], work: (job: T) => Promise<unknown>, atOnce = 4): Promise<void> {
  const left = [...jobs];
  const worker = async () => {
    for (let job = left.shift(); job !== undefined; job = left.shift()) await work(job);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => lstatSync(path).isFile());
}
