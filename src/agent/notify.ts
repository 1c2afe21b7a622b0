import { spawn } from 'node:child_process';
import { detailOf } from '../support/errors.ts';
import type { Log } from '../support/log.ts';
import { datagramsTo } from './notify-socket.ts';

interface Options {
  /** A number that grows with each sample taken: proof that more than the timers is alive. */
  progress(): number;
  /** Milliseconds between two samples, now; unset: progress is not judged. */
  interval?: () => number;
  log: Log;
  env?: NodeJS.ProcessEnv;
  monotonic?: () => number;
  /** Hands assignments of sd_notify(3) to the service manager. */
  send?: (assignments: string[]) => Promise<void>;
}

/** Found in the PATH, which systemd sets. */
const HELPER = 'systemd-notify';
/** A loop that has not moved for this many intervals stands still. */
const PATIENCE = 3;

/**
 * Tells systemd how the agent fares, when it was started by it ($NOTIFY_SOCKET), and feeds its watchdog for as long as
 * samples are taken: by a datagram of this process, or, where there is no way to send one, by systemd-notify(1), one at a
 * time (bench/watchdog.ts has what each costs).
 */
export class Notifier {
  readonly #options: Options;
  readonly #watchdogMs: number | undefined;
  readonly #active: boolean;
  readonly #send: (assignments: string[]) => Promise<void>;
  #queue: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #seen = { progress: Number.NaN, at: 0 };
  #stalled = false;

  constructor(options: Options) {
    const { env = process.env } = options;
    this.#options = options;
    this.#active = Boolean(env.NOTIFY_SOCKET);
    this.#watchdogMs = this.#active ? watchdogOf(env) : undefined;
    this.#send = options.send ?? senderFor(env.NOTIFY_SOCKET);
  }

  /** Start or reload is done. */
  ready(): void {
    this.#tell('READY=1', 'STATUS=Sampling and reporting.');
    if (this.#watchdogMs === undefined || this.#timer) return;
    this.#timer = setInterval(() => this.#feed(), this.#watchdogMs / 2);
    this.#timer.unref();
  }

  reloading(): void {
    // CLOCK_MONOTONIC, as Type=notify-reload of later versions asks for.
    this.#tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}`, 'STATUS=Reading the configuration.');
  }

  stopping(): void {
    this.#tell('STOPPING=1', 'STATUS=Stopping.');
  }

  /** One line that `systemctl status` shows. */
  status(text: string): void {
    this.#tell(`STATUS=${text.replaceAll('\n', ' ')}`);
  }

  /** Feeds the watchdog no more. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Resolves when all that was told so far has been handed over. */
  get idle(): Promise<void> {
    return this.#queue;
  }

  #feed(): void {
    const { progress, interval, monotonic = () => process.uptime() * 1_000, log } = this.#options;
    const now = monotonic();
    const reached = progress();
    if (reached !== this.#seen.progress) this.#seen = { progress: reached, at: now };
    const patience = interval ? Math.max(this.#watchdogMs ?? 0, PATIENCE * interval()) : Number.POSITIVE_INFINITY;
    const stalled = now - this.#seen.at > patience;
    if (stalled && !this.#stalled)
      log.error({ seconds: Math.round((now - this.#seen.at) / 1_000) }, 'sampling stands still; the watchdog is not fed');
    this.#stalled = stalled;
    if (!stalled) this.#tell('WATCHDOG=1');
  }

  #tell(...assignments: string[]): void {
    if (!this.#active) return;
    this.#queue = this.#queue
      .then(() => this.#send(assignments))
      .catch((error) => this.#options.log.warn({ detail: detailOf(error) }, 'the service manager could not be told'));
  }
}

function watchdogOf(env: NodeJS.ProcessEnv): number | undefined {
  const usec = Number(env.WATCHDOG_USEC);
  if (!Number.isFinite(usec) || usec <= 0) return undefined;
  return env.WATCHDOG_PID === undefined || Number(env.WATCHDOG_PID) === process.pid ? usec / 1_000 : undefined;
}

/** What a datagram of our own did not carry, the helper may: it can wait. */
function senderFor(path: string | undefined): (assignments: string[]) => Promise<void> {
  const datagrams = path === undefined ? undefined : datagramsTo(path);
  return async (assignments) => {
    if (!datagrams?.(assignments)) await systemdNotify(assignments);
  };
}

/** Needs NotifyAccess=all in the unit: what arrives comes from a child. systemd-notify waits until it was taken note of. */
export function systemdNotify(assignments: string[]): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const child = spawn(HELPER, [`--pid=${process.pid}`, ...assignments], { stdio: 'ignore' });
  child.unref();
  child.once('error', reject);
  child.once('close', (code, signal) => (code === 0 ? resolve() : reject(new Error(`it ended with ${signal ?? code}`))));
  return promise;
}
