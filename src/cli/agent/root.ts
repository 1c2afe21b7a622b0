import { Option } from 'commander';
import { nearestName } from '../../config/names.ts';
import { EXIT, ScoutError } from '../../support/errors.ts';
import { example, type Verb } from '../program.ts';
import type { DaemonOptions } from './daemon.ts';
import { folderOptions, logOptions, notEmpty } from './run-options.ts';

interface Options extends DaemonOptions {
  checkConfig?: boolean;
  online?: boolean;
  json?: boolean;
  daemon?: boolean;
}

/** What the program does without a verb: `--check-config` and `--daemon`. */
export const verb: Verb = (program) => {
  // An option after a verb is the verb's, though both know one of that name.
  program
    .enablePositionalOptions()
    .usage('[options] | <command> [options]')
    .addOption(new Option('--check-config', 'validate the configuration, and say where each value comes from').conflicts('daemon'))
    .option('--online', 'with --check-config: ask the service too')
    .option('--json', 'with --check-config: print one JSON document')
    .option('--daemon', 'start in the background; returns once the first heartbeat is accepted or safely kept')
    .option('--pid-file <file>', 'with --daemon: write the number of the process there', notEmpty);
  logOptions(folderOptions(program))
    .helpCommand('help [command]', 'print the help of a command')
    .allowExcessArguments()
    .hook('preSubcommand', (_, command) => {
      if (Object.keys(program.opts()).length > 0) usage(`options stand after the command: scout-agent ${command.name()} --…`);
    })
    .action(async (options: Options) => {
      const [unknown] = program.args;
      if (unknown !== undefined) {
        const names = program.commands.map((command) => command.name());
        const meant = nearestName(unknown, [...names, 'check-config', 'daemon']);
        const hint = meant && `; did you mean \`scout-agent ${names.includes(meant) ? meant : `--${meant}`}\`?`;
        usage(`there is no command \`${unknown}\`${hint ?? ''}`);
      }
      if (options.checkConfig) process.exitCode = await check(options);
      else if (options.daemon) process.exitCode = await (await import('./daemon.ts')).daemon(options);
      else if (Object.keys(options).length > 0) usage('these options say nothing by themselves: add --check-config, --daemon or a command');
      else {
        program.outputHelp({ error: true });
        process.exitCode = EXIT.usage;
      }
    });
  example(program, 'scout-agent --check-config', 'scout-agent --daemon --config /etc/scout-agent/config.yml', 'scout-agent status --watch');
};

async function check({ config, online = false, json = false, stateDir, runtimeDir }: Options): Promise<number> {
  const { checkConfig } = await import('./check.ts');
  return checkConfig({
    online,
    json,
    ...(config !== undefined && { config }),
    ...(stateDir !== undefined && { stateDir }),
    ...(runtimeDir !== undefined && { runtimeDir }),
  });
}

function usage(detail: string): never {
  throw new ScoutError('USAGE', { detail, program: 'scout-agent' });
}
