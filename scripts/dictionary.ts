/**
 * Trains a dictionary for heartbeats and writes src/protocol/dictionary.ts. For a new generation only: agents in the
 * field hold frames that name the old one, so a dictionary once released is never changed, only joined by the next
 * (give it the next id). Needs zstd(1). Samples are the golden outputs of the fixtures and this host's own
 * heartbeat, with their readings varied; nothing of them but common text comes to stand in the dictionary.
 */
import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { makeHeartbeat } from '../src/agent/heartbeat.ts';
import { Meters } from '../src/agent/meters.ts';
import { Runner } from '../src/collectors/runner.ts';
import { collectorsSchema } from '../src/config/schema.ts';
import type { Metric } from '../src/protocol/heartbeat.ts';
import { realHost } from '../src/support/host.ts';

const ID = 40_001;
const SIZE = 12_288;
const VARIATIONS = 120;
const PROCESSES =
  'systemd sshd nginx postgres java node python3 dockerd containerd kubelet redis-server mysqld bash cron rsyslogd systemd-journal chronyd prometheus php-fpm8.2 apache2'.split(
    ' ',
  );

const root = fileURLToPath(new URL('..', import.meta.url));

/** The same numbers on every run, so that the same samples give the same dictionary. */
let seed = 1;
const random = (): number => {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
  return seed / 0x7fffffff;
};
const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;

function varied(metric: Metric): Metric {
  const named = metric.attributes.indexOf('process.executable.name');
  const points = metric.points.map((point) =>
    point.map((value, index) => {
      if (index === named) return pick(PROCESSES);
      if (metric.attributes[index] === 'process.pid') return Math.floor(random() * 99_999);
      if (index < point.length - 1 || typeof value !== 'number') return value;
      if (value === 0) return random() < 0.7 ? 0 : Math.floor(random() * 1_000);
      const digits = String(value).split('.')[1]?.length ?? 0;
      return Number((value * random() * 4).toFixed(digits));
    }),
  );
  return { ...metric, points };
}

async function live(): Promise<Metric[]> {
  const host = realHost();
  const runner = new Runner(host, collectorsSchema.parse({}));
  await runner.collect();
  await delay(1_000);
  const { metrics } = await runner.collect();
  runner.close();
  const meters = new Meters();
  meters.skew(20);
  return [
    ...metrics,
    ...meters.metrics(host, { bytes: 4_096, losses: [] }, [{ name: 'api', pending: 0, accepted: 4_711, duplicates: 0, failures: 0 }]),
  ];
}

const own = await live();
const golden = globSync('test/fixtures/*/golden.json', { cwd: root }).map(
  (path) => JSON.parse(readFileSync(join(root, path), 'utf8')).metrics as Metric[],
);
// The fixtures lack what is asked of the kernel by call (file systems) and the agent's metrics of itself.
const known = new Set(golden.flat().map((metric) => metric.name));
const missing = own.filter((metric) => !known.has(metric.name) || metric.name.startsWith('system.filesystem'));
const folder = mkdtempSync(join(os.tmpdir(), 'scout-dictionary-'));
try {
  const sources = [own, ...golden.map((metrics) => [...metrics, ...missing])];
  for (let index = 0; index < VARIATIONS * sources.length; index += 1) {
    const sampled = {
      time: 1_760_000_000_000 + Math.floor(random() * 1e11),
      interval: 10_000,
      hostName: `${pick(['web', 'db', 'app', 'node'])}-${Math.floor(random() * 99)}`,
      bootTime: 1_760_000_000 + Math.floor(random() * 1e8),
      inventory: undefined,
      metrics: (sources[index % sources.length] as Metric[]).map(varied),
    };
    const instance = '00000000-0000-4000-8000-000000000000'.replaceAll('0', () => Math.floor(random() * 16).toString(16));
    writeFileSync(join(folder, `${index}.json`), `${JSON.stringify(makeHeartbeat(sampled, instance, Math.floor(random() * 1e6)))}\n`);
  }
  const trained = join(folder, 'dictionary');
  execFileSync('sh', ['-c', `zstd -q --train "$0"/*.json --maxdict=${SIZE} --dictID=${ID} -o "$0/dictionary"`, folder]);
  const lines = readFileSync(trained)
    .toString('base64')
    .match(/.{1,120}/g) as string[];
  writeFileSync(
    join(root, 'src/protocol/dictionary.ts'),
    `/*
 * Made by scripts/dictionary.ts, and never to be changed: frames at rest and on the wire name it by its id.
 */

/** Id of the dictionary, as it stands in the header of each frame packed with it (RFC 8878, 3.1.1.1.3). */
export const DICTIONARY_ID = ${ID};

/** The dictionary for heartbeats, in the format of RFC 8878, section 5. */
export const DICTIONARY: Uint8Array = Buffer.from(
  [
${lines.map((line) => `    '${line}',`).join('\n')}
  ].join(''),
  'base64',
);
`,
  );
} finally {
  rmSync(folder, { recursive: true });
}
