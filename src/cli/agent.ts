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
  const { createProgram, runProgram } = await import('./program.ts');
  const program = createProgram('scout-agent', 'Watches this host and reports to a service; its key is replaced without a gap.');
  for (const { verb } of await Promise.all(needed(argv).map((load) => load()))) verb(program);
  await runProgram(program, argv);
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
  'resolve-config': () => import('./agent/resolve.ts'),
};

/**
 * What these arguments call for: one verb, the program itself, or, for help and mistakes, all there is. The root comes
 * last: a verb would inherit that it takes words it does not know.
 */
function needed(argv: string[]): (() => Promise<{ verb: Verb }>)[] {
  const named = Object.hasOwn(VERBS, argv[0] ?? '') && VERBS[argv[0] as string];
  if (named) return [named, ROOT];
  if (argv.includes('--check-config') || argv.includes('--daemon')) return [ROOT];
  return [...Object.values(VERBS), ROOT];
}
