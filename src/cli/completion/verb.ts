import { Argument, type Command } from 'commander';
import { out } from '../output.ts';
import { example } from '../program.ts';
import type { Described } from './describe.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** Adds `completion bash|zsh|fish` to a program. */
export function completionVerb(program: Command): void {
  const command = program
    .command('completion')
    .description('print the completion of this program for a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .action(async (shell: Shell) => {
      const { describeCommand } = await import('./describe.ts');
      out.line((await completionFor(shell, program.name(), describeCommand(program))).trimEnd());
    });
  const name = program.name();
  example(command, `source <(${name} completion bash)`, `${name} completion fish > ~/.config/fish/completions/${name}.fish`);
}

/** The completion of a program as a script of a shell. */
export async function completionFor(shell: Shell, name: string, root: Described): Promise<string> {
  if (shell === 'bash') return (await import('./bash.ts')).bashCompletion(name, root);
  if (shell === 'zsh') return (await import('./zsh.ts')).zshCompletion(name, root);
  return (await import('./fish.ts')).fishCompletion(name, root);
}
