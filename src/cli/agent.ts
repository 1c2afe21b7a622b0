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
  for (const verb of await verbs()) verb(program);
  await runProgram(program, argv);
}

async function verbs(): Promise<Verb[]> {
  const loaded = await Promise.all([
    import('./agent/root.ts'),
    import('./agent/run.ts'),
    import('./agent/stop.ts'),
    import('./agent/status.ts'),
    import('./agent/heartbeat.ts'),
    import('./agent/sample.ts'),
    import('./agent/inventory.ts'),
    import('./agent/config.ts'),
    import('./agent/outbox.ts'),
    import('./agent/encrypt-value.ts'),
    import('./agent/rewrap.ts'),
    import('./agent/resolve.ts'),
  ]);
  return loaded.map((module) => module.verb);
}
