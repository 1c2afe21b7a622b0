import type { Config } from '../config/schema.ts';
import { detailOf, EXIT, formatProblem, type Problem, problem, ScoutError } from '../support/errors.ts';
import { realHost } from '../support/host.ts';
import { type AgentLog, createLogger } from '../support/logger.ts';
import { single, WORD } from '../support/self.ts';
import { VERSION } from '../support/version.ts';
import { Agent, type Runnable } from './agent.ts';
import { type CheckResult, runChecker } from './checker.ts';
import { PRIMARY } from './deliveries.ts';
import { KeyLog } from './key-log.ts';
import { KnownSecrets } from './known-secrets.ts';
import { Notifier } from './notify.ts';
import { followLog } from './output.ts';
import { signalReady } from './ready.ts';
import { Signals } from './signals.ts';
import { Tidy } from './tidy.ts';

const DEBUG_MS = 300_000;

/**
 * `scout-agent run`: the daemon, from its arguments to its end; sets the exit status. `program` is the launcher, which it
 * starts for its checker. Signal handlers stand before anything else happens, so that a signal that comes early waits
 * for its turn and does not end the process.
 */
export async function runAgent(program: string, args: string[]): Promise<void> {
  const signals = new Signals();
  signals.install();
  const check = () => runChecker(program, args);
  const found = await attempt(check);
  if (!found) return;
  const { checked, exit } = found;
  if (!checked?.config) return fail(checked?.problems ?? [], exit);
  const { config } = checked;
  const secrets = new KnownSecrets();
  secrets.learn(found);
  const log = openLog(config, secrets);
  if (!log) return;
  for (const { code, message, remedy } of checked.problems) log.warn({ code, remedy }, message);

  const { promise: ended, resolve: end } = Promise.withResolvers<string>();
  const rechecked = async () => secrets.learn(await check());
  const agent = new Agent({
    program,
    host: realHost(config.host),
    log,
    checked: checked as Runnable,
    check: rechecked,
    onStop: () => end('control socket'),
  });
  const notifier = new Notifier({ progress: () => agent.lastSampled, interval: () => agent.interval, log });
  announce(agent, config);
  tellOfKeys(agent, log);
  tellOfRequests(agent, log);
  try {
    await agent.start();
  } catch (error) {
    log.error({ detail: detailOf(error) }, 'the agent could not start');
    return failWith(error);
  }
  log.info(
    {
      version: VERSION,
      file: checked.file,
      endpoint: config.api.endpoint,
      instance: agent.status().instance,
      interval_ms: config.interval,
    },
    'started',
  );
  notifier.ready();
  const tidy = new Tidy();
  tidy.start();
  const debug = new DebugSwitch(log);
  signals.attach({
    reload: async () => {
      notifier.reloading();
      const { ok } = await agent.reload();
      notifier.ready();
      if (!ok) notifier.status('Sampling and reporting by the configuration before: the new one has faults.');
    },
    debug: () => debug.toggle(),
    stop: (signal) => end(signal),
  });

  const reason = await ended;
  log.info({ reason }, 'stopping');
  notifier.stopping();
  tidy.stop();
  await agent.stop();
  notifier.stop();
  log.info({}, 'stopped');
  log.flush();
  leave(agent.hung);
}

async function attempt(check: () => Promise<CheckResult>): Promise<CheckResult | undefined> {
  try {
    return await check();
  } catch (error) {
    failWith(error);
    return undefined;
  }
}

function openLog({ log: { level, format, file } }: Config, secrets: KnownSecrets): AgentLog | undefined {
  try {
    return createLogger({ level, format, ...(file && { file, reopened: followLog(file) }), secrets: () => secrets.known });
  } catch (error) {
    failWith(error);
    return undefined;
  }
}

function failWith(error: unknown): void {
  const known = error instanceof ScoutError ? error : new ScoutError('INTERNAL', { detail: detailOf(error) });
  fail([known.problem], known.exit);
}

/** Ends the start: problems to stderr, and to whoever waits for it to come up. */
function fail(problems: Problem[], exit: number): void {
  for (const problem of problems) process.stderr.write(`${formatProblem(problem)}\n`);
  signalReady({ ready: false, problems, exit });
  process.exit(exit);
}

/**
 * Tells whoever started us in the background what became of the first heartbeat: accepted, safe while the service is
 * away, or refused, which is no start.
 */
function announce(agent: Agent, config: Config): void {
  const { endpoint } = config.api;
  const forget = agent.onSent((destination, _batch, outcome, final) => {
    if (destination !== PRIMARY || !final) return;
    forget();
    const fingerprint = outcome.by ?? agent.status().key.fingerprint;
    if (outcome.kind === 'accepted') return signalReady({ ready: true, state: 'accepted', endpoint, fingerprint });
    const detail = 'detail' in outcome ? outcome.detail : outcome.kind;
    const refusal = { unauthorized: 'KEY_REFUSED', forbidden: 'KEY_FORBIDDEN' } as const;
    const code = refusal[outcome.kind as keyof typeof refusal];
    if (!code) return signalReady({ ready: true, state: 'spooled', endpoint, fingerprint, detail });
    signalReady({ ready: false, problems: [problem(code, { endpoint, fingerprint: fingerprint ?? 'none', detail })], exit: EXIT.refused });
  });
}

/** What becomes of each key goes to the log. */
function tellOfKeys(agent: Agent, log: AgentLog): void {
  const inUse = () => {
    const { destinations, key } = agent.status();
    return { endpoint: destinations.find(({ name }) => name === PRIMARY)?.endpoint ?? 'the service', fingerprint: key.fingerprint };
  };
  const keys = new KeyLog({ log, inUse });
  agent.onSent((destination, _batch, outcome, final) => {
    if (destination === PRIMARY && final) keys.sent(outcome);
  });
}

/** Each request and its answer, for whoever debugs. */
function tellOfRequests(agent: Agent, log: AgentLog): void {
  agent.onSent((destination, batch, outcome) => {
    const [first, last] = [batch[0]?.sequence, batch.at(-1)?.sequence];
    log.debug({ destination, ...(first === last ? { sequence: first } : { first, last }), ...outcome }, 'a request was answered');
  });
}

/** SIGUSR2: debug logging for five minutes, or until the next one. */
class DebugSwitch {
  readonly #log: AgentLog;
  #timer: NodeJS.Timeout | undefined;

  constructor(log: AgentLog) {
    this.#log = log;
  }

  toggle(): void {
    if (this.#timer) {
      this.#off();
      return;
    }
    this.#log.setDebug(true);
    this.#log.info({ minutes: DEBUG_MS / 60_000 }, 'debug logging is on');
    this.#timer = setTimeout(() => this.#off(), DEBUG_MS);
    this.#timer.unref();
  }

  #off(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#log.info({}, 'debug logging is off');
    this.#log.setDebug(false);
  }
}

/**
 * Ends the process with status 0. While a thread hangs in the kernel (statfs on a dead mount) an ordinary exit would
 * wait for it without end: becoming another program does not.
 */
function leave(hung: number): void {
  if (hung > 0 && process.platform === 'linux')
    process.execve?.(process.execPath, ['scout-agent', ...(single ? [WORD.nothing] : ['--eval', ''])], {});
  process.exit(0);
}
