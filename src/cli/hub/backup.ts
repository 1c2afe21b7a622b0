import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Place } from '../../hub/store/open.ts';
import { formatBytes } from '../../support/durations.ts';
import { ScoutError } from '../../support/errors.ts';
import { out } from '../output.ts';
import { example } from '../program.ts';
import { withData, withStore } from './common.ts';

interface Options extends Place {
  json?: boolean;
}

/** `scout-hub backup`: one file that a hub can be brought back from, made while it runs. */
export function verb(program: Command): void {
  const command = program
    .command('backup <file>')
    .description('write a copy of the database into a new file, whether the hub runs or not; it is checked before it gets its name')
    .option('--json', 'one JSON document');
  withData(command).action(run);
  example(command, 'scout-hub backup /var/backups/scout-hub-$(date +%F).db');
}

async function run(file: string, options: Options): Promise<void> {
  // Opening would make an empty one, and a backup of nothing look like one.
  if (options.database === undefined && !existsSync(join(options.data, 'hub.db')))
    throw new ScoutError('HUB_BACKUP', { path: file, detail: `there is no hub in ${options.data}` });
  await withStore(options, (store) => store.backup(file));
  const bytes = statSync(file).size;
  if (options.json) return out.json({ file, bytes });
  out.note(
    `${file}: ${formatBytes(bytes)}, read back and found whole. It holds no key, but who may use which: keep it as closely as the hub.`,
  );
}
