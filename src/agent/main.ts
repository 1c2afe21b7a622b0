import type { Config } from '../config/schema.ts';
import { detailOf, formatProblem, type Problem, ScoutError } from '../support/errors.ts';
import { realHost } from '../support/host.ts';
import { type AgentLog, createLogger } from '../support/logger.ts';
import { VERSION } from '../support/version.ts';
import { Agent, type Runnable } from './agent.ts';
import { type CheckResult, runChecker } from './checker.ts';
import { PRIMARY } from './deliveries.ts';
import { Notifier } from './notify.ts';
import { signalReady } from './ready.ts';

const DEBUG_MS = 300_000;

/**
 * `scout-agent run`: the daemon, from its arguments to its end. Sets the exit status. Handlers stand before anything
 * else happens, so that a signal that comes early waits for its turn where it would end the process.
 */
export async function runAgent(args: string[]): Promise<void> {
  const signals = new Signals();
  signals.install();
  const check = () => runChecker(args);
  const found = await attempt(check);
  if (!found) return;
  const { checked, exit } = found;
  if (!checked?.config) return fail(checked?.problems ?? [], exit);
  const { config } = checked;
  const secrets = secretsOf(config);
  const log = createLogger({
    level: config.log.level,
    format: config.log.format,
    ...(config.log.file && { file: config.log.file }),
    secrets: () => secrets.known,
  });
  for (const { code, message, remedy } of checked.problems) log.warn({ code, remedy }, message);

  const { promise: ended, resolve: end } = Promise.withResolvers<string>();
  const rechecked = async () => secrets.learn(await check());
  const agent = new Agent({
    host: realHost(config.host),
    log,
    checked: checked as Runnable,
    check: rechecked,
    onStop: () => end('control socket'),
  });
  const notifier = new Notifier({ progress: () => agent.lastSampled, interval: () => agent.interval, log });
  announce(agent, config);
  try {
    await agent.start();
  } catch (error) {
    log.error({ detail: detailOf(error) }, 'the agent could not start');
    const known = error instanceof ScoutError ? error : new ScoutError('INTERNAL', { detail: detailOf(error) });
    return fail([known.problem], known.exit);
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
  signals.attach({
    reload: async () => {
      notifier.reloading();
      await agent.reload();
      notifier.ready();
    },
    debug: () => toggleDebug(log, () => agent.logLevel),
    stop: (signal) => end(signal),
  });

  const reason = await ended;
  log.info({ reason }, 'stopping');
  notifier.stopping();
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
    const known = error as ScoutError;
    fail([known.problem], known.exit);
    return undefined;
  }
}

/** Ends the start: problems to stderr, and to whoever waits for it to come up. */
function fail(problems: Problem[], exit: number): void {
  for (const problem of problems) process.stderr.write(`${formatProblem(problem)}\n`);
  signalReady({ ready: false, problems, exit });
  process.exit(exit);
}

/** Tells whoever started us in the background as soon as the first heartbeat is accepted, or is safe while the service is away. */
function announce(agent: Agent, config: Config): void {
  const { endpoint } = config.api;
  const forget = agent.onSent((destination, _batch, outcome) => {
    if (destination !== PRIMARY) return;
    forget();
    const fingerprint = agent.status().key.fingerprint;
    if (outcome.kind === 'accepted') signalReady({ ready: true, state: 'accepted', endpoint, fingerprint });
    else signalReady({ ready: true, state: 'spooled', endpoint, fingerprint, detail: 'detail' in outcome ? outcome.detail : outcome.kind });
  });
}

/** Every secret of a configuration, and of those before it: a key that was replaced must not be logged either. */
function secretsOf(first: Config) {
  const known: string[] = [];
  const take = ({ api, tls, proxy, destinations }: Config) => {
    const found = [api.key, api.private_key, tls.key_passphrase, proxy, ...destinations.map((one) => one.key)];
    for (const secret of found) if (secret && !known.includes(secret)) known.push(secret);
    // A rotation a day for a decade is still a short list, but it need not grow without end.
    if (known.length > 64) known.splice(0, known.length - 64);
  };
  take(first);
  const learn = (result: CheckResult): CheckResult => {
    if (result.checked?.config) take(result.checked.config);
    return result;
  };
  return { known, learn };
}

function toggleDebug(log: AgentLog, configured: () => Config['log']['level']): void {
  log.setLevel('debug');
  log.info({ minutes: DEBUG_MS / 60_000 }, 'debug logging is on');
  setTimeout(() => log.setLevel(configured()), DEBUG_MS).unref();
}

/**
 * Ends the process with status 0. While a thread hangs in the kernel (statfs on a dead mount) an ordinary exit would
 * wait for it without end: becoming another program does not.
 */
function leave(hung: number): void {
  if (hung > 0 && process.platform === 'linux') process.execve?.('/bin/true', ['true'], {});
  process.exit(0);
}

interface Handlers {
  reload(): Promise<void>;
  debug(): void;
  stop(signal: string): void;
}

/** Signals that come before there is anything to handle them are kept for it. */
class Signals {
  #handlers: Handlers | undefined;
  readonly #early = new Set<NodeJS.Signals>();

  install(): void {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => this.#take(signal));
  }

  attach(handlers: Handlers): void {
    this.#handlers = handlers;
    for (const signal of this.#early) this.#take(signal);
  }

  #take(signal: NodeJS.Signals): void {
    if (!this.#handlers) this.#early.add(signal);
    else if (signal === 'SIGHUP') void this.#handlers.reload();
    else if (signal === 'SIGUSR2') this.#handlers.debug();
    else this.#handlers.stop(signal);
  }
}
