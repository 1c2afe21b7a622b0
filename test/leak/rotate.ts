import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { statusBecomes } from '../helpers/agent-life.ts';
import { AGENT } from '../helpers/programs.ts';
import type { Hunt } from './hunt.ts';
import { ANSWERS, addServer, daemon, Echo, own } from './run.ts';

/* `scout-agent rotate` in all its forms, and in each way in which it fails. */

/** The key in the configuration, which is one to be looked for from now on: `rotate` made it. */
function learn(hunt: Hunt, config: string, label: string): void {
  const key = /^ {2}key: "?([0-9a-f]{64})/m.exec(readFileSync(config, 'utf8'))?.[1];
  if (key) hunt.needles.add('api key', label, key);
}

async function freshKey(hunt: Hunt, name: string): Promise<string> {
  const { stdout } = await hunt.hubCommand('hub shows a new key', ['key', 'rotate', name, '--json']);
  return hunt.needles.add('key of the hub', `${name}, rotated`, (JSON.parse(stdout) as { key: string }).key);
}

/** Every way to rotate, with a daemon that runs; returns the exit statuses. */
export async function rotations(hunt: Hunt): Promise<Record<string, unknown>> {
  const { needles } = hunt;
  const statuses: Record<string, unknown> = {};
  const config = own(hunt, 'rotate', await addServer(hunt, 'rotate', 'multi'));
  const agent = await daemon(hunt, 'daemon, rotated', config);
  await statusBecomes(config, ({ last_accepted }) => last_accepted !== null);
  const rotate = async (args: string[], input = '', file = config) => {
    const label = `rotate ${args.join(' ')}`.trim();
    statuses[label] = (await hunt.agent(label, ['rotate', ...args, '--config', file], { input })).status;
    learn(hunt, file, label);
  };
  for (const args of [
    [],
    ['--json'],
    ['--self'],
    ['--mint'],
    ['--mint', '--json'],
    ['--rollback'],
    ['--dry-run'],
    ['--dry-run', '--json'],
    ['--retire-now'],
    ['--explain'],
    ['--explain', '--json'],
    ['--if-older-than', '90d'],
    ['--if-older-than', '0s'],
    ['--keypair'],
    ['--self', '--retire-now'],
  ])
    await rotate(args);
  for (const args of [
    ['audit', 'show'],
    ['audit', 'show', '--json'],
    ['audit', 'verify'],
    ['status', '--json'],
    ['config', 'show'],
    ['--check-config', '--online'],
  ])
    statuses[args.join(' ')] = (await hunt.agent(`${args.join(' ')}, rotated`, [...args, '--config', config])).status;

  // Pasted: good ones, on stdin and at the prompt, and each that is refused.
  await rotate(['--new-key-stdin'], await freshKey(hunt, 'rotate'));
  const typed = ['rotate', '--new-key-stdin', '--config', config];
  statuses['rotate, typed'] = (await hunt.typed('rotate, typed', AGENT, typed, ['new key', await freshKey(hunt, 'rotate')])).status;
  const pasted = () => needles.key('pasted', 'pasted key');
  const { pem } = needles.privateKey('pasted for a key');
  for (const input of [pasted(), pasted().slice(1), `${pasted()}\n${pasted()}`, `"${pasted()}"`, pem, await addServer(hunt, 'another')])
    await rotate(['--new-key-stdin'], input);
  await rotate(['--new-key-stdin', '--json'], pasted());
  await rotate(['--new-key-stdin', '--dry-run'], pasted());

  // Killed at each step that it tells of; then finished.
  for (const step of ['INTENT', 'STAGED', 'PROVEN', 'COMMITTED']) {
    const left = await hunt.leave(`rotate, killed at ${step}`, AGENT, ['rotate', '--config', config], { until: step });
    await left.end('SIGKILL');
    await rotate([]);
  }
  await agent.end();
  return statuses;
}

/** The service that ends the old key at once, one that is away, and one that repeats all it is sent. */
export async function refusals(hunt: Hunt): Promise<void> {
  const immediate = own(hunt, 'immediate', await addServer(hunt, 'immediate', 'immediate'));
  for (const args of [['--mint'], ['--mint', '--accept-gap'], []]) {
    const label = `rotate ${args.join(' ')}, immediate`;
    await hunt.agent(label, ['rotate', ...args, '--config', immediate]);
    learn(hunt, immediate, label);
  }
  const away = own(hunt, 'away', hunt.needles.key('away'));
  writeFileSync(away, readFileSync(away, 'utf8').replace(hunt.bench.endpoint, 'https://127.0.0.1:1'));
  for (const args of [[], ['--mint'], ['--dry-run'], ['--retire-now'], ['--explain']])
    await hunt.agent(`rotate ${args.join(' ')}, away`, ['rotate', ...args, '--config', away]);

  const echo = new Echo(hunt);
  const endpoint = await echo.start();
  const config = own(hunt, 'liar', hunt.needles.key('liar'));
  writeFileSync(config, readFileSync(config, 'utf8').replace(hunt.bench.endpoint, endpoint).replace(hunt.path('hub/ca.pem'), echo.ca));
  try {
    for (let turn = 0; turn < ANSWERS; turn += 1)
      for (const args of [[], ['--json'], ['--mint'], ['--retire-now'], ['--new-key-stdin']]) {
        echo.turn = turn;
        const input = hunt.needles.key('pasted to a liar', 'pasted key');
        const { status } = await hunt.agent(`rotate ${args.join(' ')}, liar`, ['rotate', ...args, '--config', config], { input });
        expect(status).not.toBe(0);
      }
    await hunt.agent('audit show, liar', ['audit', 'show', '--config', config]);
    await hunt.agent('rotate --explain, liar', ['rotate', '--explain', '--config', config]);
  } finally {
    echo.stop();
  }
}
