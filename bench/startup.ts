/**
 * `npm run bench:startup [RUNS]`: how long from the start of the process to its first accepted heartbeat, and how long
 * `--check-config` takes, beside `node -e 0` in turn. Medians over the runs, wall clock.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { AGENT, Bench, run } from '../test/helpers/programs.ts';
import { buildPrograms, machine, median, print } from './lib.ts';

const runs = Number(process.argv[2] ?? 15);
const bench = new Bench();

try {
  buildPrograms();
  await bench.startHub();
  const { key } = await bench.addServer('bench');
  const config = bench.configure('bench', key);
  const seconds = async (work: () => unknown): Promise<number> => {
    const began = performance.now();
    await work();
    return (performance.now() - began) / 1_000;
  };
  const times = { node: [] as number[], check: [] as number[], start: [] as number[] };
  for (let round = 0; round < runs + 1; round += 1) {
    const node = await seconds(() => spawnSync(process.execPath, ['-e', '0']));
    const check = await seconds(() => spawnSync(process.execPath, [AGENT, '--check-config', '--config', config]));
    // --daemon returns once the hub has accepted the first heartbeat: launcher, checker, daemon and TLS all included.
    const start = await seconds(async () => {
      const done = await run(AGENT, ['--daemon', '--config', config]);
      if (done.status !== 0 || !done.stdout.includes('accepted')) throw new Error(`not accepted: ${done.stdout}${done.stderr}`);
    });
    await run(AGENT, ['stop', '--config', config]);
    rmSync(`${bench.folder}/bench-state`, { recursive: true });
    if (round === 0) continue;
    times.node.push(node);
    times.check.push(check);
    times.start.push(start);
  }
  process.stdout.write(`${machine()}; ${runs} runs\n\n`);
  const base = median(times.node);
  const row = (name: string, values: number[], goal: string) => [
    name,
    median(values).toFixed(3),
    Math.min(...values).toFixed(3),
    Math.max(...values).toFixed(3),
    (median(values) / base).toFixed(1),
    goal,
  ];
  print(
    ['', 'median s', 'min', 'max', '× node -e 0', 'to reach'],
    [
      row('node -e 0', times.node, ''),
      row('--check-config', times.check, '0.2'),
      row('--daemon, to the first accepted heartbeat', times.start, '0.5'),
    ],
  );
} finally {
  await bench.close();
}
