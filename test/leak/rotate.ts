import { createPrivateKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { statusBecomes } from '../helpers/agent-life.ts';
import { AGENT } from '../helpers/programs.ts';
import { type Hunt, together } from './hunt.ts';
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

  await together([[], ['--json'], ['--mint'], ['--retire-now'], ['--new-key-stdin']], (args) => refused(hunt, args));
}

/** One form of `rotate` against a service that repeats what it is sent, in each way in which it can refuse. */
async function refused(hunt: Hunt, args: string[]): Promise<void> {
  const echo = new Echo(hunt);
  const endpoint = await echo.start();
  const config = own(hunt, `liar${args.join('')}`, hunt.needles.key('liar'));
  writeFileSync(config, readFileSync(config, 'utf8').replace(hunt.bench.endpoint, endpoint).replace(hunt.path('hub/ca.pem'), echo.ca));
  try {
    for (let turn = 0; turn < ANSWERS; turn += 1) {
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

/** The key pair of an organisation, replaced in each way; returns the exit statuses. */
export async function pairs(hunt: Hunt): Promise<Record<string, unknown>> {
  const { needles } = hunt;
  const statuses: Record<string, unknown> = {};
  const registered = async (name: string, publicPem: string): Promise<string> => {
    const file = hunt.path(`conf-${name}.pub`);
    writeFileSync(file, publicPem);
    const args = ['credential', 'add', name, '--public-key', file, '--role', 'admin', '--json'];
    return JSON.parse((await hunt.hubCommand('credential add', args)).stdout).credential_id;
  };
  const text = (pem: string) => createPrivateKey(pem).export({ format: 'der', type: 'pkcs8' }).toString('base64url');
  const first = needles.privateKey('pair');
  const id = await registered('fleet', first.publicPem);
  const config = own(hunt, 'pair', 'x');
  writeFileSync(config, readFileSync(config, 'utf8').replace('key: x', `credential_id: ${id}\n  private_key: ${text(first.pem)}`));
  const rotate = async (args: string[], input = '') => {
    const label = `rotate ${args.join(' ')}, pair`;
    statuses[label] = (await hunt.agent(label, ['rotate', ...args, '--config', config], { input })).status;
    const made = /private_key: (\S+)/.exec(readFileSync(config, 'utf8'))?.[1] ?? '';
    needles.addPrivateKey(label, Buffer.from(made, 'base64url'));
  };
  for (const args of [['--dry-run'], ['--keypair'], ['--rollback'], ['--json'], ['--retire-now'], ['--explain']]) await rotate(args);
  for (const name of ['as-pem', 'as-text']) {
    const given = needles.privateKey(`pair given ${name}`);
    const input = name === 'as-pem' ? given.pem : text(given.pem);
    await rotate(['--new-key-stdin', '--credential-id', await registered(name, given.publicPem)], input);
  }
  statuses.heartbeat = (await hunt.agent('heartbeat, pair', ['heartbeat', '--json', '--config', config])).status;
  statuses['audit show'] = (await hunt.agent('audit show, pair', ['audit', 'show', '--config', config])).status;
  return statuses;
}
