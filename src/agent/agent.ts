import { join } from 'node:path';
import type { Outcome, StoredHeartbeat } from '../delivery/heartbeats.ts';
import { Spool } from '../delivery/spool.ts';
import { detailOf, type Problem, ScoutError } from '../support/errors.ts';
import { ensureFolder } from '../support/folder.ts';
import type { Host } from '../support/host.ts';
import type { AgentLog } from '../support/logger.ts';
import { VERSION } from '../support/version.ts';
import { adopt } from './adopt.ts';
import type { Checked, CheckResult } from './checker.ts';
import { type AdoptReport, type AgentStatus, CONTROL_SOCKET, type HeartbeatReport, type ReloadReport } from './control.ts';
import { ControlServer } from './control-server.ts';
import { Deliveries, PRIMARY } from './deliveries.ts';
import { Keys } from './keys.ts';
import { Meters, usage } from './meters.ts';
import { Outcomes, type Sent } from './outcomes.ts';
import { type ReloadOptions, Reloads, withoutRestart } from './reloads.ts';
import { Sampler } from './sampler.ts';
import { Scheduler, type Tick } from './scheduler.ts';
import { StateLock } from './state-lock.ts';
import { Watch } from './watch.ts';

/** Longest wait at the end for an answer that is under way; what has no answer by then is sent again after the start. */
const STOP_MS = 3_000;

/** A configuration that can be run. */
export type Runnable = Checked & Required<Pick<Checked, 'config' | 'candidates' | 'host_key' | 'key_variable'>>;

interface Options {
  /** The launcher; its children read configuration and inventory. */
  program: string;
  host: Host;
  log: AgentLog;
  checked: Runnable;
  /** Reads the configuration anew. */
  check(): Promise<CheckResult>;
  /** Called when the control socket asks for the end. */
  onStop(): void;
}

/** The daemon: samples, keeps and delivers by one configuration until it is stopped, and takes a new one without stopping. */
export class Agent {
  readonly #options: Options;
  readonly #meters = new Meters();
  readonly #lock: StateLock;
  readonly #spool: Spool;
  readonly #deliveries: Deliveries;
  readonly #keys: Keys;
  readonly #sampler: Sampler;
  readonly #scheduler: Scheduler;
  readonly #control: ControlServer;
  readonly #watch: Watch;
  readonly #reloads: Reloads;
  readonly #started: number;
  readonly #outcomes = new Outcomes(() => this.#keys.configured);
  #checked: Runnable;
  #loaded: number;
  #problem: string | null = null;
  #state: AgentStatus['state'] = 'starting';
  #prometheus: Record<'start' | 'stop', () => Promise<void>> | undefined;
  #scheduled = true;

  constructor(options: Options) {
    const { host, log, checked } = options;
    const { config } = checked;
    this.#options = options;
    this.#checked = checked;
    this.#loaded = host.now();
    this.#started = host.monotonic();
    this.#lock = new StateLock(config.state_dir);
    const { max_bytes: maxBytes, min_free_bytes: minFreeBytes } = config.outbox;
    this.#spool = new Spool({ path: join(config.state_dir, 'outbox.db'), maxBytes, minFreeBytes, host, log });
    this.#deliveries = new Deliveries({
      spool: this.#spool,
      host,
      log,
      onSkew: (ms) => this.#meters.skew(ms),
      onOutcome: (...sent) => this.#sent(...sent),
      onLapse: () => void this.release(),
    });
    this.#keys = new Keys({
      log,
      sender: this.#deliveries,
      reread: () => this.#reread(false),
      onRest: () => this.#outcomes.finish(),
    });
    this.#sampler = new Sampler({ program: options.program, host, log, config, spool: this.#spool, own: () => this.#ownMetrics() });
    const onError = (error: unknown) => log.error({ detail: detailOf(error) }, 'a heartbeat could not be made');
    this.#scheduler = new Scheduler({ host, interval: config.interval, run: (tick) => this.#tick(tick), onError });
    const handlers = {
      status: () => this.status(),
      heartbeat: async () => this.#asked(),
      reload: () => this.reload(),
      stop: () => options.onStop(),
      hold: (ms: number) => this.#deliveries.hold(ms),
      release: () => this.release(),
      adopt: (fingerprint: string) => this.adopt(fingerprint),
    };
    this.#control = new ControlServer(join(config.runtime_dir, CONTROL_SOCKET), handlers, log);
    this.#reloads = new Reloads((how) => this.#reload(how));
    this.#watch = new Watch(
      () => this.#checked.watch,
      () => void this.reload({ quiet: true, asked: true }),
    );
  }

  /**
   * Opens what it needs and takes the first sample; without `schedule` it samples only when `heartbeat` is called.
   * Throws ScoutError (AGENT_RUNNING, FILE_UNWRITABLE).
   */
  async start({ schedule = true } = {}): Promise<void> {
    const { config } = this.#checked;
    this.#scheduled = schedule;
    for (const folder of [config.state_dir, config.runtime_dir]) ensureFolder(folder);
    this.#lock.acquire();
    this.#spool.open();
    await this.#deliveries.apply(config, this.#keys.prepare(config, this.#checked.candidates, true));
    await this.#control.start();
    if (config.prometheus.listen) await this.#listen(config.prometheus.listen);
    if (schedule) {
      this.#watch.start();
      this.#scheduler.start();
    }
    this.#state = 'running';
  }

  /** Samples no more, waits a moment for what is in flight, closes the outbox. All that is not delivered stays there. */
  async stop(): Promise<void> {
    this.#state = 'stopping';
    this.#watch.stop();
    await this.#scheduler.stop();
    await this.#deliveries.stop(STOP_MS);
    await this.#prometheus?.stop();
    await this.#control.stop();
    this.#sampler.close();
    this.#spool.close();
    this.#lock.release();
  }

  /** Calls of collectors that hang in the kernel and would hold up the end of the process. */
  get hung(): number {
    return this.#sampler.hung;
  }

  /** Milliseconds between two samples. */
  get interval(): number {
    return this.#checked.config.interval;
  }

  /** When the last heartbeat was made, ms since the epoch; proof of progress for a watchdog. */
  get lastSampled(): number {
    return this.#sampler.last?.time ?? 0;
  }

  /** Tells the outcome of every batch. Returns how to listen no more. */
  onSent(listener: Sent): () => void {
    return this.#outcomes.listen(listener);
  }

  /**
   * Reads the configuration and puts it in force, whole or not at all. What is read is never older than the call: calls
   * that come while one reads share the next reading.
   */
  reload(options: ReloadOptions = { quiet: false, asked: true }): Promise<ReloadReport> {
    return this.#reloads.request(options);
  }

  async #reload({ quiet, asked }: ReloadOptions): Promise<ReloadReport> {
    const { check, log, host } = this.#options;
    let problems: Problem[] = [];
    // First, and whatever becomes of the rest: a log that was rotated must not be written to under its old name.
    log.reopen();
    try {
      // Before the reading: what changes during it is another change.
      this.#watch.accept();
      const { checked } = await check();
      problems = checked?.problems ?? [];
      if (this.#state === 'stopping') return { ok: false, problems };
      if (!checked?.config) throw new Error(problems.find((one) => one.severity === 'error')?.message ?? 'it could not be read');
      const before = this.#checked.config;
      const { config, waiting } = withoutRestart(before, checked.config);
      await this.#deliveries.apply(config, this.#keys.prepare(config, checked.candidates ?? [], asked));
      this.#spool.setBounds(config.outbox.max_bytes, config.outbox.min_free_bytes);
      this.#sampler.apply(config);
      this.#scheduler.setInterval(config.interval);
      const unchanged = quiet && JSON.stringify(before) === JSON.stringify(config);
      log.setLevel(config.log.level);
      this.#checked = { ...(checked as Runnable), config };
      this.#loaded = host.now();
      const told = this.#problem;
      this.#problem = waiting.length > 0 ? `changed, but in force only after a restart: ${waiting.join(', ')}` : null;
      if (unchanged && told === this.#problem) return { ok: true, problems };
      log.info({ file: checked.file, ...(waiting.length > 0 && { needs_restart: waiting }) }, 'configuration reloaded');
      this.#meters.reload(true);
      return { ok: true, problems };
    } catch (error) {
      const told = this.#problem;
      this.#problem = detailOf(error);
      if (quiet && told === this.#problem) return { ok: false, problems };
      log.error({ detail: this.#problem, problems }, 'the new configuration is not in force; the one before stays');
      this.#meters.reload(false);
      return { ok: false, problems };
    }
  }

  /** Samples and sends now, also where a pause lasts; waits for what the service says of it. Throws HEARTBEAT_WAITS. */
  heartbeat(): Promise<HeartbeatReport> {
    return this.#outcomes.of(this.#deliveries, async () => {
      const made = await this.#sampler.sample();
      this.#deliveries.skipPause();
      return made;
    });
  }

  /** One that is here for a single heartbeat of its own is gone before it could see to another. */
  #asked(): Promise<HeartbeatReport> {
    if (this.#scheduled) return this.heartbeat();
    throw new ScoutError('AGENT_RUNNING', { pid: process.pid, path: this.#checked.config.state_dir });
  }

  /** Ends a hold, by what the files say at this moment: a key may have been replaced meanwhile. */
  async release(): Promise<void> {
    const { held, holds } = this.#deliveries;
    if (held) await this.#reread(true);
    // One that began meanwhile is somebody else's.
    if (holds === this.#deliveries.holds) this.#deliveries.release();
  }

  /** Reads the configuration, and sends with the key that is expected there; waits for what the service says of it. */
  adopt(fingerprint: string): Promise<AdoptReport> {
    return adopt(
      {
        listen: (listener) => this.onSent((to, _batch, outcome) => to === PRIMARY && listener(outcome)),
        reload: async () => ((await this.reload()).ok ? null : this.#problem),
        configured: () => this.#keys.configured,
        release: () => this.#deliveries.release(),
        send: async () => {
          this.#keys.restart();
          if (this.#spool.depth(PRIMARY) === 0) await this.#sampler.sample();
          this.#deliveries.skipPause();
        },
      },
      fingerprint,
    );
  }

  status(): AgentStatus {
    const { host } = this.#options;
    const destinations = this.#deliveries.status();
    const { primary } = this.#deliveries;
    const outbox = this.#spool.stats();
    const { degrading, ...key } = this.#keys.status();
    const degraded = this.#problem !== null || degrading || !outbox.durable || destinations.some((one) => one.problem !== null);
    const { last, statuses } = this.#sampler;
    return {
      state: this.#state === 'running' && degraded ? 'degraded' : this.#state,
      version: VERSION,
      pid: process.pid,
      instance: this.#spool.instance,
      uptime: Math.round((host.monotonic() - this.#started) / 1_000),
      config: { file: this.#checked.file, loaded: new Date(this.#loaded).toISOString(), problem: this.#problem },
      key: { ...key, slot: primary?.slot ?? null, variable: this.#checked.key_variable },
      host_key: this.#checked.host_key,
      last_accepted: primary?.last_accepted ?? null,
      last_sampled: last && { time: new Date(last.time).toISOString(), sequence: last.sequence },
      outbox: { ...outbox, losses: this.#spool.losses() },
      destinations,
      collectors: statuses,
      process: usage(host),
    };
  }

  #sent(destination: string, batch: StoredHeartbeat[], outcome: Outcome): void {
    this.#outcomes.tell(destination, batch, outcome, destination !== PRIMARY || this.#keys.outcome(outcome));
  }

  /** Reads the files: what a search for a key, or a release, begins with. */
  async #reread(asked: boolean): Promise<void> {
    if (this.#state !== 'stopping') await this.#reloads.soon({ quiet: true, asked });
  }

  async #tick(tick: Tick): Promise<void> {
    this.#meters.tick(tick);
    if (tick.clockJump !== 0) this.#options.log.warn({ seconds: tick.clockJump / 1_000 }, 'the wall clock was set');
    await this.#sampler.sample();
    this.#deliveries.wake();
  }

  #ownMetrics() {
    const outbox = { bytes: this.#spool.stats().bytes, losses: this.#spool.losses() };
    return this.#meters.metrics(this.#options.host, outbox, this.#deliveries.status());
  }

  async #listen(listen: string): Promise<void> {
    const { PrometheusEndpoint } = await import('../exporters/prometheus.ts');
    this.#prometheus = new PrometheusEndpoint({ listen, latest: () => this.#sampler.metrics, log: this.#options.log });
    await this.#prometheus.start();
  }
}
