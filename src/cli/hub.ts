import type { Command } from 'commander';
import { createProgram, runProgram, type Verb } from './program.ts';

/** The scout-hub program. */
export async function main(argv: string[]): Promise<void> {
  await runProgram(await hubProgram(), argv);
}

/** The program with all its verbs: what runs, and what manual and completion are made from. */
export async function hubProgram(): Promise<Command> {
  const program = createProgram('scout-hub', 'Issues keys to agents, takes their heartbeats and shows the fleet.');
  for (const verb of await verbs()) verb(program);
  return program;
}

async function verbs(): Promise<Verb[]> {
  const loaded = await Promise.all([
    import('./hub/serve.ts'),
    import('./hub/server.ts'),
    import('./hub/key.ts'),
    import('./hub/credential.ts'),
    import('./hub/token.ts'),
    import('./hub/user.ts'),
    import('./hub/org.ts'),
    import('./hub/audit.ts'),
    import('./hub/backup.ts'),
    import('./hub/copy.ts'),
    import('./hub/completion.ts'),
  ]);
  return loaded.map((module) => module.verb);
}
