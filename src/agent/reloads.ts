import type { Config } from '../config/schema.ts';
import type { ReloadReport } from './control.ts';

/** Longest wait for a reading before something goes on without it, ms. */
const SOON_MS = 8_000;

/** How a reload is made: `quiet`, no line where nothing changed; `asked`, keys that were all refused are tried anew. */
export interface ReloadOptions {
  quiet: boolean;
  asked: boolean;
}

/** One reload at a time. What is read is never older than the request: those that come while one reads share the next. */
export class Reloads {
  readonly #run: (options: ReloadOptions) => Promise<ReloadReport>;
  #running: Promise<ReloadReport> | undefined;
  #next: Promise<ReloadReport> | undefined;
  #nextOptions: ReloadOptions | undefined;

  constructor(run: (options: ReloadOptions) => Promise<ReloadReport>) {
    this.#run = run;
  }

  request(options: ReloadOptions): Promise<ReloadReport> {
    if (this.#running) {
      const { quiet, asked } = this.#nextOptions ?? options;
      this.#nextOptions = { quiet: quiet && options.quiet, asked: asked || options.asked };
      this.#next ??= this.#running.then(() => {
        const joined = this.#nextOptions as ReloadOptions;
        this.#next = this.#nextOptions = undefined;
        return this.request(joined);
      });
      return this.#next;
    }
    this.#running = this.#run(options).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** As `request`, for whoever has to go on after a while also when the reading hangs. */
  async soon(options: ReloadOptions): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, SOON_MS);
    await Promise.race([this.request(options), promise]);
    clearTimeout(timer);
  }
}

/** Settings that shape what is opened once at start. */
const NEEDS_RESTART = ['state_dir', 'runtime_dir', 'host', 'prometheus'] as const;
const NEEDS_RESTART_LOG = ['file', 'format'] as const;

/** What of a new configuration can be in force without a restart, and the names of the settings that have to wait for one. */
export function withoutRestart(before: Config, wanted: Config): { config: Config; waiting: string[] } {
  const held = NEEDS_RESTART.filter((name) => JSON.stringify(wanted[name]) !== JSON.stringify(before[name]));
  const heldLog = NEEDS_RESTART_LOG.filter((name) => wanted.log[name] !== before.log[name]);
  const config: Config = {
    ...wanted,
    ...Object.fromEntries(held.map((name) => [name, before[name]])),
    log: { ...before.log, level: wanted.log.level },
  };
  return { config, waiting: [...held, ...heldLog.map((name) => `log.${name}`)] };
}
