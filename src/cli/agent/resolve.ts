import { closeSync, writeSync } from 'node:fs';
import { type CommandOptions, resolveOptions } from '../../config/options.ts';
import type { Verb } from '../program.ts';

/** Where the daemon reads the answer: a pipe, since the configuration holds secrets. */
const ANSWER = 3;

/** `scout-agent resolve-config`, hidden: the daemon's checker. Takes the options of `run`, answers on descriptor 3. */
export const verb: Verb = (program) => {
  program
    .command('resolve-config', { hidden: true })
    .description('resolves the configuration for the daemon that started this, and writes it to file descriptor 3')
    .option('--config <path>', 'configuration file')
    .option('--state-dir <dir>', 'folder for what must survive')
    .option('--runtime-dir <dir>', 'folder for the control socket')
    .option('--log-level <level>', 'least severity logged')
    .option('--log-file <file>', 'log file')
    .option('--pid-file <file>', 'read by the daemon itself')
    .action(async (options: CommandOptions) => {
      const { exitOf, resolveConfig } = await import('../../config/resolve.ts');
      const { ok, file, config, problems, watch } = resolveConfig(resolveOptions(options));
      answer(JSON.stringify(ok ? { file, config, problems, watch, loaded_at: new Date().toISOString() } : { file, problems, watch }));
      process.exitCode = exitOf(problems);
    });
};

/** Writes all of it: a pipe takes what it has room for. */
function answer(text: string): void {
  const bytes = Buffer.from(text);
  let done = 0;
  while (done < bytes.length) {
    try {
      done += writeSync(ANSWER, bytes, done);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      // Nothing else runs in this process, so it may well wait here for the reader.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
  closeSync(ANSWER);
}
