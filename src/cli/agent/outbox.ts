import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import type { OutboxStats } from '../../delivery/inspect.ts';
import { formatBytes } from '../../support/durations.ts';
import { detailOf, EXIT, ScoutError } from '../../support/errors.ts';
import { out, table } from '../output.ts';
import { example, type Verb } from '../program.ts';
import { storedOptions } from './run-options.ts';
import { findPlaces } from './running.ts';

interface Options {
  config?: string;
  stateDir?: string;
  json?: boolean;
}

/** `outbox verify` and `outbox stats`: both read only, with or without a running agent. */
export const verb: Verb = (program) => {
  const outbox = program.command('outbox').description('look into the store of heartbeats that wait for delivery');
  example(outbox, 'scout-agent outbox stats', 'scout-agent outbox verify');
  storedOptions(outbox.command('verify').description('check every heartbeat it holds'), 'outbox', 'scout-agent outbox verify').action(
    verify,
  );
  storedOptions(outbox.command('stats').description('count what it holds'), 'outbox', 'scout-agent outbox stats --json').action(stats);
};

async function verify(options: Options): Promise<void> {
  const path = await findOutbox(options);
  const { openToRead, verifyOutbox } = await import('../../delivery/inspect.ts');
  const { heartbeats, faults } = withStore(path, openToRead, verifyOutbox);
  if (options.json) {
    out.json({ ok: faults.length === 0, path, heartbeats, faults });
    if (faults.length > 0) process.exitCode = EXIT.failed;
    return;
  }
  if (faults.length === 0) return out.line(`${path}: ${heartbeats} heartbeats, all sound`);
  for (const fault of faults) out.line(`${path}: ${fault}`);
  throw new ScoutError('OUTBOX_DAMAGED', { path, detail: `${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}` });
}

async function stats(options: Options): Promise<void> {
  const path = await findOutbox(options);
  const { openToRead, outboxStats } = await import('../../delivery/inspect.ts');
  const found = withStore(path, openToRead, (db) => outboxStats(db, path));
  if (options.json) out.json({ path, ...found, oldest: time(found.oldest), newest: time(found.newest), losses: lossTimes(found) });
  else print(path, found);
}

function print(path: string, found: OutboxStats): void {
  out.line(`outbox    ${path} (${formatBytes(found.bytes)})`);
  out.line(`instance  ${found.instance ?? 'none yet'}, next number ${found.next_sequence ?? 1}`);
  const span = found.depth > 0 ? `, sampled ${time(found.oldest)} to ${time(found.newest)}` : '';
  out.line(`held      ${found.depth}${span}`);
  if (found.destinations.length > 0) {
    out.line();
    out.line(
      table(
        ['destination', 'pending'],
        found.destinations.map(({ name, pending }) => [name, pending]),
      ),
    );
  }
  if (found.losses.length > 0) {
    out.line();
    out.line(
      table(
        ['lost because of', 'count', 'from', 'to'],
        lossTimes(found).map(({ reason, count, from, to }) => [reason, count, from, to]),
      ),
    );
  }
}

function lossTimes({ losses }: OutboxStats) {
  return losses.map(({ reason, count, from, to }) => ({ reason, count, from: time(from) as string, to: time(to) as string }));
}

function time(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

function withStore<Db extends { close(): void }, Found>(path: string, open: (path: string) => Db, work: (db: Db) => Found): Found {
  let db: Db | undefined;
  try {
    db = open(path);
    return work(db);
  } catch (error) {
    throw new ScoutError('OUTBOX_DAMAGED', { path, detail: detailOf(error).replace('ERR_SQLITE_ERROR ', '') }, {}, { cause: error });
  } finally {
    db?.close();
  }
}

/** The file that the agent of this configuration uses. Throws when it is not there or may not be read. */
async function findOutbox(options: Options): Promise<string> {
  const path = join(options.stateDir ?? (await findPlaces(options)).state, 'outbox.db');
  if (!existsSync(path)) throw new ScoutError('OUTBOX_ABSENT', { path });
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    throw new ScoutError('FILE_UNREADABLE', { path, detail: detailOf(error) });
  }
  return path;
}
