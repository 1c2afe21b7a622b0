import type { Command } from 'commander';
import type { Verb } from './program.ts';

/**
 * The scout-agent program. `run` is taken before anything else is loaded: the process that lives for months never
 * sees the option parser, it has its arguments read by the checker (see agent/main.ts).
 */
export async function main(argv: string[]): Promise<void> {
  if (argv[0] === 'run' && !argv.includes('--help') && !argv.includes('-h')) {
    const { becomeDaemon } = await import('../agent/process.ts');
    return becomeDaemon(argv.slice(1));
  }
  const { runProgram } = await import('./program.ts');
  await runProgram(await agentProgram(needed(argv)), argv);
}

/** The program as the option parser knows it, with these verbs; with all of them, what manual and completion are made from. */
export async function agentProgram(load = everything()): Promise<Command> {
  const { createProgram } = await import('./program.ts');
  const program = createProgram('scout-agent', 'Watches this host and reports to a service; its key is replaced without a gap.');
  for (const { verb } of await Promise.all(load.map((one) => one()))) verb(program);
  return program;
}

/** The program without a verb: its options, among them `--check-config` and `--daemon`. */
const ROOT = () => import('./agent/root.ts');

/** Every verb under its name, in the order of the help. */
const VERBS: Record<string, () => Promise<{ verb: Verb }>> = {
  run: () => import('./agent/run.ts'),
  enroll: () => import('./agent/enroll.ts'),
  migrate: () => import('./agent/migrate.ts'),
  stop: () => import('./agent/stop.ts'),
  status: () => import('./agent/status.ts'),
  heartbeat: () => import('./agent/heartbeat.ts'),
  sample: () => import('./agent/sample.ts'),
  inventory: () => import('./agent/inventory.ts'),
  config: () => import('./agent/config.ts'),
  outbox: () => import('./agent/outbox.ts'),
  'encrypt-value': () => import('./agent/encrypt-value.ts'),
  rewrap: () => import('./agent/rewrap.ts'),
  rotate: () => import('./agent/rotate.ts'),
  audit: () => import('./agent/audit.ts'),
  doctor: () => import('./agent/doctor.ts'),
  bundle: () => import('./agent/bundle.ts'),
  completion: () => import('./agent/completion.ts'),
  'resolve-config': () => import('./agent/resolve.ts'),
};

type Load = () => Promise<{ verb: Verb }>;

/** All there is. The root comes last: a verb would inherit that it takes words it does not know. */
const everything = (): Load[] => [...Object.values(VERBS), ROOT];

/** What these arguments call for: one verb, the program itself, or, for help, mistakes and completion, all there is. */
function needed(argv: string[]): Load[] {
  if (argv[0] === 'completion') return everything();
  const named = Object.hasOwn(VERBS, argv[0] ?? '') && VERBS[argv[0] as string];
  if (named) return [named, ROOT];
  if (argv.includes('--check-config') || argv.includes('--daemon')) return [ROOT];
  return everything();
}
