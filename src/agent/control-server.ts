import { mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { detailOf, problem, ScoutError } from '../support/errors.ts';
import type { Log } from '../support/log.ts';
import type { AdoptReport, AgentStatus, ControlAnswer, ControlRequest, HeartbeatReport, ReloadReport } from './control.ts';
import { ask } from './control-client.ts';
import { type SocketPath, socketPath } from './socket-path.ts';

const MOST_REQUEST_BYTES = 4_096;
const MOST_CONNECTIONS = 16;
const REQUEST_TIMEOUT_MS = 5_000;
/** Bounds of a hold, ms: whoever asked for it may die, and heartbeats must not wait for long. */
const HOLD_MS = { least: 100, most: 300_000 };
/** How long whoever holds our socket may take to say who it is. */
const PROBE_TIMEOUT_MS = 1_000;
/** What the kernel says of a place where this user may not write. */
const REFUSED: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS']);

/** What the socket's requests do. What they throw goes back to whoever asked, as a problem. */
export interface ControlHandlers {
  status(): AgentStatus;
  heartbeat(): Promise<HeartbeatReport>;
  reload(): Promise<ReloadReport>;
  hold(ms: number): Promise<void>;
  release(): Promise<void>;
  adopt(fingerprint: string): Promise<AdoptReport>;
  /** Called once the answer is on its way. */
  stop(): void;
}

/**
 * The socket through which commands reach the running agent. Only its own user and root may connect (mode 0600): who
 * can, can stop it. It never keeps the process alive.
 */
export class ControlServer {
  readonly #path: string;
  readonly #handlers: ControlHandlers;
  readonly #log: Pick<Log, 'debug'> | undefined;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #reached: SocketPath | undefined;

  /** `log` hears of each request. */
  constructor(path: string, handlers: ControlHandlers, log?: Pick<Log, 'debug'>) {
    this.#path = path;
    this.#handlers = handlers;
    this.#log = log;
  }

  /**
   * Listens, in place of a socket that a killed agent left behind. Throws AGENT_RUNNING when another agent answers
   * there, FILE_UNWRITABLE when this user may not make the socket, CONTROL_SOCKET when it cannot be made otherwise.
   */
  async start(): Promise<void> {
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o755 });
      this.#reached = socketPath(this.#path);
      try {
        await this.#listen(this.#reached.path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
        await this.#refuseIfAnswered();
        rmSync(this.#path, { force: true });
        await this.#listen(this.#reached.path);
      }
    } catch (error) {
      this.#reached?.close();
      this.#reached = undefined;
      if (error instanceof ScoutError) throw error;
      const refused = REFUSED.has((error as NodeJS.ErrnoException).code ?? '');
      throw new ScoutError(
        refused ? 'FILE_UNWRITABLE' : 'CONTROL_SOCKET',
        { path: this.#path, detail: detailOf(error) },
        {},
        { cause: error },
      );
    }
  }

  /** Stops listening, removes the socket and drops who is connected. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    server.close(() => resolve());
    // A last answer that is written leaves before the end; whoever has not asked yet is dropped.
    for (const socket of this.#sockets) socket.destroySoon();
    await promise;
    this.#reached?.close();
  }

  async #listen(path: string): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (socket) => this.#serve(socket));
    server.maxConnections = MOST_CONNECTIONS;
    server.unref();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    // bind(2) happens within this call, so nobody can connect before the mode is right.
    const umask = process.umask(0o177);
    try {
      server.listen(path, resolve);
    } finally {
      process.umask(umask);
    }
    await promise;
    server.removeListener('error', reject);
    server.on('error', () => {});
    this.#server = server;
  }

  async #refuseIfAnswered(): Promise<void> {
    let pid: number | string = 'unknown';
    try {
      pid = (await ask(this.#path, { command: 'status' }, PROBE_TIMEOUT_MS)).pid;
    } catch (error) {
      if (error instanceof ScoutError && error.code === 'AGENT_NOT_RUNNING') return;
    }
    throw new ScoutError('AGENT_RUNNING', { pid, path: this.#path });
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(REQUEST_TIMEOUT_MS, () => socket.destroy());
    socket.unref();
    let text = '';
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\n');
      if (end === -1 && text.length <= MOST_REQUEST_BYTES) return;
      socket.off('data', onData);
      socket.setTimeout(0);
      void this.#answer(socket, end === -1 ? '' : text.slice(0, end));
    };
    socket.on('data', onData);
    socket.on('end', () => {
      if (!text.includes('\n')) socket.destroy();
    });
  }

  async #answer(socket: Socket, line: string): Promise<void> {
    let answer: ControlAnswer<ControlRequest['command']>;
    let command: unknown;
    try {
      const request = (parse(line) ?? {}) as Request;
      command = request.command;
      answer = { ok: true, result: await this.#run(request) };
    } catch (error) {
      answer = { ok: false, problem: error instanceof ScoutError ? error.problem : problem('INTERNAL', { detail: detailOf(error) }) };
    }
    this.#log?.debug(
      { command: String(command).slice(0, 20), ...(!answer.ok && { code: answer.problem.code }) },
      'asked over the control socket',
    );
    socket.setTimeout(REQUEST_TIMEOUT_MS, () => socket.destroy());
    socket.end(`${JSON.stringify(answer)}\n`, () => {
      if (command === 'stop') this.#handlers.stop();
    });
  }

  async #run(request: Request) {
    switch (request.command) {
      case 'status':
        return this.#handlers.status();
      case 'heartbeat':
        return this.#handlers.heartbeat();
      case 'reload':
        return this.#handlers.reload();
      case 'stop':
        return { pid: process.pid };
      case 'hold':
        await this.#handlers.hold(holdTime(request.ms));
        return { held: true as const };
      case 'release':
        await this.#handlers.release();
        return { held: false as const };
      case 'adopt':
        return this.#handlers.adopt(adoptable(request.fingerprint));
      default:
        throw usage('unknown request on the control socket');
    }
  }
}

/** What came over the socket: any JSON at all. */
type Request = Record<string, unknown>;

const usage = (detail: string) => new ScoutError('USAGE', { detail, program: 'scout-agent' });

function holdTime(ms: unknown): number {
  if (typeof ms === 'number' && Number.isInteger(ms) && ms >= HOLD_MS.least && ms <= HOLD_MS.most) return ms;
  throw usage(`a hold lasts between ${HOLD_MS.least} and ${HOLD_MS.most} ms`);
}

function adoptable(fingerprint: unknown): string {
  if (typeof fingerprint === 'string' && /^[0-9a-f]{12}$/.test(fingerprint)) return fingerprint;
  throw usage('a fingerprint has 12 hexadecimal digits');
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
