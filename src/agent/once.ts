import type { Config } from '../config/schema.ts';
import { ScoutError } from '../support/errors.ts';
import { realHost } from '../support/host.ts';
import { createLogger } from '../support/logger.ts';
import { Agent, type Runnable } from './agent.ts';
import { type CheckResult, runChecker } from './checker.ts';
import type { HeartbeatReport } from './control.ts';
import { KnownSecrets } from './known-secrets.ts';

/**
 * Samples and sends one heartbeat where no agent runs, through the same outbox, so that numbers go on without a gap.
 * `program` is the launcher, `args` are those of `run`. Throws the first problem of the configuration, or AGENT_RUNNING.
 */
export async function sendOnce(program: string, args: string[]): Promise<HeartbeatReport & { fingerprint: string | null }> {
  const secrets = new KnownSecrets();
  const check = async () => lean(secrets.learn(await runChecker(program, args)));
  const { checked } = await check();
  const problem = checked?.problems.find((one) => one.severity === 'error');
  if (problem) throw ScoutError.of(problem);
  if (!checked?.config) throw new ScoutError('INTERNAL', { detail: 'the checker gave no configuration' });
  const { config } = checked;
  const { level, format } = config.log;
  const log = createLogger({ level, format, secrets: () => secrets.known });
  const agent = new Agent({ program, host: realHost(config.host), log, checked: checked as Runnable, check, onStop: () => {} });
  await agent.start({ schedule: false });
  try {
    const report = await agent.heartbeat();
    return { ...report, fingerprint: report.outcome.by ?? agent.status().key.fingerprint };
  } finally {
    await agent.stop();
  }
}

/** For one heartbeat: what is found of the host would come too late, and its child would only take its time; a log is for errors. */
function lean(result: CheckResult): CheckResult {
  const { checked } = result;
  if (!checked?.config) return result;
  const { collectors, log } = checked.config;
  const inventory = { ...collectors.inventory, enabled: false };
  const config: Config = { ...checked.config, collectors: { ...collectors, inventory }, log: { ...log, level: 'error' } };
  return { ...result, checked: { ...checked, config } };
}
