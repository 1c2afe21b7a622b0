import { createProgram, runProgram, type Verb } from './program.ts';

/** The scout-hub program. */
export async function main(argv: string[]): Promise<void> {
  const program = createProgram('scout-hub', 'Issues keys to agents, takes their heartbeats and shows the fleet.');
  for (const verb of await verbs()) verb(program);
  await runProgram(program, argv);
}

async function verbs(): Promise<Verb[]> {
  const loaded = await Promise.all([
    import('./hub/serve.ts'),
    import('./hub/server.ts'),
    import('./hub/key.ts'),
    import('./hub/credential.ts'),
    import('./hub/token.ts'),
    import('./hub/user.ts'),
    import('./hub/audit.ts'),
  ]);
  return loaded.map((module) => module.verb);
}
