import { Command, CommanderError } from 'commander';
import { detailOf, type ErrorCode, EXIT, formatProblem, ScoutError } from '../support/errors.ts';
import { hideKeysIn } from '../support/hide.ts';
import { VERSION } from '../support/version.ts';
import { endWithOutput, out, paint } from './output.ts';

/** One verb: it adds itself to the program. Heavy modules are imported inside its action, so that `--help` stays quick. */
export type Verb = (program: Command) => void;

/** A program with the ways that both of ours share: exit codes, where errors go, help with examples. */
export function createProgram(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(hideKeysIn(text).replace(/^error: /, paint('red', 'error: ', process.stderr))),
    });
}

/** Adds an example below a verb's help. */
export function example(command: Command, ...lines: string[]): Command {
  return command.addHelpText('after', `\nExample:\n${lines.map((line) => `  ${line}`).join('\n')}`);
}

/** What no code of ours has a name for; but that the working folder was deleted can happen with any path. */
function unforeseen(error: unknown, program: string): ScoutError {
  const gone = (error as NodeJS.ErrnoException | undefined)?.syscall === 'uv_cwd';
  if (gone) return new ScoutError('USAGE', { detail: 'the working folder was deleted: change to another one', program });
  return new ScoutError('INTERNAL', { detail: detailOf(error) }, {}, { cause: error });
}

/** Runs a program to its exit status; a verb sets `process.exitCode` where it is not 0, or throws. */
export async function runProgram(program: Command, argv: string[]): Promise<void> {
  endWithOutput();
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    process.exitCode = report(error, program.name());
  }
}

/** What repeats a word of the command line, where keys get pasted although none belongs there. */
const REPEATS: ReadonlySet<ErrorCode> = new Set(['USAGE', 'HUB_SERVER_UNKNOWN', 'FILE_UNREADABLE']);

/** Tells what went wrong on stderr, and returns the exit status that fits it. */
function report(error: unknown, program: string): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.done;
    out.note(`See \`${program} --help\`.`);
    return EXIT.usage;
  }
  const known = error instanceof ScoutError ? error : unforeseen(error, program);
  const text = formatProblem(known.problem);
  out.note(paint('red', REPEATS.has(known.code) ? hideKeysIn(text) : text, process.stderr));
  if (known.code === 'INTERNAL' && process.env.SCOUT_LOG_LEVEL === 'debug' && error instanceof Error) out.note(String(error.stack));
  return known.exit;
}
