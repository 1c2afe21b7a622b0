import { randomBytes, randomUUID } from 'node:crypto';
import { makeHeartbeat } from '../../agent/heartbeat.ts';
import { readBootTime } from '../../collectors/boot.ts';
import { readInventory } from '../../collectors/inventory.ts';
import { definitionsFor } from '../../collectors/registry.ts';
import { type Collected, Runner } from '../../collectors/runner.ts';
import type { CollectorsConfig, Config } from '../../config/schema.ts';
import type { Inventory } from '../../protocol/heartbeat.ts';
import { ScoutError } from '../../support/errors.ts';
import { type Host, realHost } from '../../support/host.ts';
import { out } from '../output.ts';
import { example, type Verb } from '../program.ts';
import { renderSample } from './sample-table.ts';

interface Options {
  json?: boolean;
  collector: string[];
  config?: string;
}

/** What of a configuration a sample needs; all of it has defaults. */
type Settings = Pick<Config, 'collectors' | 'interval' | 'host' | 'host_name'>;

/** `scout-agent sample`: one sample to stdout; sends nothing, and needs neither configuration nor key. */
export const verb: Verb = (program) => {
  const command = program
    .command('sample')
    .description('take one sample of this host and print it; nothing is sent')
    .option('--json', 'print a heartbeat as it would be sent')
    .option('--collector <name...>', 'these collectors only, switched on or not', [] as string[])
    .option('--config <path>', 'configuration file')
    .action(sample);
  example(command, 'scout-agent sample', 'scout-agent sample --json --collector cpu memory');
};

async function sample(options: Options): Promise<void> {
  const settings = await readSettings(options.config);
  const host = realHost(settings.host);
  choose(settings.collectors, options.collector, host);
  const runner = new Runner(host, settings.collectors);
  const time = host.now();
  const collected = await runner.collect();
  const inventory = options.collector.includes('inventory') ? await readInventory(host) : undefined;
  runner.close();
  print(options, settings, host, time, collected, inventory);
  // A thread that hangs in statfs on a dead mount would keep this process for ever; becoming another program does not wait.
  if (runner.hung > 0) process.execve?.('/bin/true', ['true'], {});
}

function print(
  options: Options,
  settings: Settings,
  host: Host,
  time: number,
  collected: Collected,
  inventory: Inventory | undefined,
): void {
  const hostName = settings.host_name ?? host.hostname();
  const { metrics } = collected;
  const sampled = { time, interval: settings.interval, hostName, bootTime: readBootTime(host), inventory, metrics };
  if (options.json) out.json(makeHeartbeat(sampled, randomUUID(), 1));
  else out.line(renderSample(collected, inventory));
}

/** The configuration where there is one that can be used, with or without a key; else what holds without any. */
async function readSettings(file: string | undefined): Promise<Settings> {
  const [{ resolveConfig }, { configSchema }] = await Promise.all([import('../../config/resolve.ts'), import('../../config/schema.ts')]);
  const options = { ...(file && { file }), env: process.env, uid: process.getuid?.() ?? -1 };
  const first = resolveConfig(options);
  if (first.config) return first.config;
  // Nothing is sent, so a key made up here does for the one that is missing or unfit.
  const made = resolveConfig({ ...options, overrides: { 'api.key': randomBytes(32).toString('hex') } });
  if (made.config) return made.config;
  const fault = made.problems.find(({ code, severity }) => severity === 'error' && code !== 'CONFIG_NOT_FOUND');
  if (file && fault) throw ScoutError.of(fault);
  if (fault) out.note('The configuration has faults (scout-agent --check-config names them); sampling by the defaults.');
  return configSchema.parse({});
}

/** Switches on the collectors named and all others off; leaves all as they are when none is named. */
function choose(collectors: CollectorsConfig, names: string[], host: Host): void {
  if (names.length === 0) return;
  const known = [...definitionsFor(host).map((definition) => definition.name), 'inventory' as const];
  for (const name of names)
    if (!known.some((one) => one === name)) throw new ScoutError('COLLECTOR_UNKNOWN', { name, known: known.join(', ') });
  for (const name of Object.keys(collectors) as (keyof CollectorsConfig)[]) collectors[name].enabled = names.includes(name);
}
