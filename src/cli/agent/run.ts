import { example, type Verb } from '../program.ts';
import { folderOptions, logOptions } from './run-options.ts';

/** `run`: its help. The run itself begins before any option parser is loaded (see cli/agent.ts). */
export const verb: Verb = (program) => {
  const command = program.command('run').description('run in the foreground; what the systemd unit starts');
  example(logOptions(folderOptions(command)), 'scout-agent run', 'scout-agent run --config ./config.yml --log-level debug').action(() =>
    command.help(),
  );
};
