import type { Command } from 'commander';
import { out } from '../output.ts';
import { example } from '../program.ts';
import { withData, withStore } from './common.ts';
import { keyTable } from './text.ts';

/** `scout-hub key list`. */
export function verb(program: Command): void {
  const key = program.command('key').description('keys of servers');
  const listing = key.command('list <server>').description('the keys of one server, by fingerprint');
  withData(listing).option('--json', 'one JSON document').action(list);
  example(listing, 'scout-hub key list web-1');
}

async function list(name: string, options: { data: string; json?: boolean }): Promise<void> {
  const { listKeys } = await import('../../hub/servers.ts');
  const now = () => Date.now();
  const keys = await withStore(options.data, (store) => listKeys({ store, now }, name));
  if (options.json) return out.json(keys);
  out.line(keyTable(keys, now()));
}
