import { closeSync, writeSync } from 'node:fs';
import type { Checked } from '../../agent/checker.ts';
import { type CommandOptions, resolveOptions } from '../../config/options.ts';
import type { ResolvedValue } from '../../config/resolved.ts';
import { ScoutError } from '../../support/errors.ts';
import type { Verb } from '../program.ts';
import { folderOptions, logOptions } from './run-options.ts';

/** Where the daemon reads the answer: a pipe, since the configuration holds secrets. */
const ANSWER = 3;

/** `scout-agent resolve-config`, hidden: the daemon's checker. Takes the options of `run`, answers on descriptor 3. */
export const verb: Verb = (program) => {
  const command = program
    .command('resolve-config', { hidden: true })
    .description('resolves the configuration for the daemon that started this, and writes it to file descriptor 3');
  logOptions(folderOptions(command))
    // A word too many is told of in the name of `run`, which was typed.
    .allowExcessArguments()
    .action(async (options: CommandOptions) => {
      const [unknown] = command.args;
      if (unknown !== undefined)
        throw new ScoutError('USAGE', { detail: `\`run\` takes options only, and no \`${unknown}\``, program: 'scout-agent' });
      const { exitOf, openingOf, resolveConfig } = await import('../../config/resolve.ts');
      const { hostKeyHere, readCandidates } = await import('./candidates.ts');
      const resolving = resolveOptions(options);
      const { file, config, problems, watch, values } = resolveConfig(resolving);
      const opening = openingOf(resolving);
      const checked: Checked = { file, problems, watch };
      if (config) {
        const kept = readCandidates(config, opening);
        checked.config = config;
        checked.problems = [...problems, ...kept.problems];
        checked.watch = [...watch, kept.path];
        checked.candidates = kept.candidates;
        checked.host_key = hostKeyHere(opening);
        checked.key_variable = keyVariable(values);
      }
      answer(JSON.stringify({ ...checked, ...(config && { loaded_at: new Date().toISOString() }) }));
      process.exitCode = exitOf(problems);
    });
};

/** The variable that the key comes from: it stays as it is for as long as the process lives. */
function keyVariable(values: ResolvedValue[]): string | null {
  const found = values.find(({ name, secret }) => secret && (name === 'api.key' || name === 'api.private_key'));
  const source = found?.source;
  return typeof source === 'object' && 'variable' in source ? source.variable : null;
}

/** Writes all of it: a pipe takes what it has room for. */
function answer(text: string): void {
  const bytes = Buffer.from(text);
  let done = 0;
  while (done < bytes.length) {
    try {
      done += writeSync(ANSWER, bytes, done);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // The agent was stopped meanwhile, and nobody wants the answer.
      if (code === 'EPIPE') return;
      if (code === 'EBADF' || code === 'EINVAL')
        throw new ScoutError('USAGE', {
          detail: 'this is the daemon’s own: `scout-agent config show` is for people',
          program: 'scout-agent',
        });
      if (code !== 'EAGAIN') throw error;
      // Nothing else runs in this process, so it may well wait here for the reader.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
  closeSync(ANSWER);
}
