import { statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import type { Registry } from '../../hub/servers.ts';
import type { Place } from '../../hub/store/open.ts';
import type { Store } from '../../hub/store/store.ts';
import { parseDuration } from '../../support/durations.ts';
import { detailOf, ScoutError } from '../../support/errors.ts';
import { homeOf } from '../../support/home.ts';

/** Where the hub keeps its data unless told: the system's folder for root, the user's own for others. */
export function defaultData(env: NodeJS.ProcessEnv = process.env): string {
  if (process.getuid?.() === 0) return '/var/lib/scout-hub';
  return join(env.XDG_DATA_HOME || join(homeOf(env), '.local', 'share'), 'scout-hub');
}

/** Who runs a verb, as the audit trail names him: `cli:root`. */
function cliActor(): string {
  try {
    return `cli:${userInfo().username}`;
  } catch {
    // Containers run as numbers that no passwd file knows.
    return `cli:${process.getuid?.() ?? 'unknown'}`;
  }
}

/** Where a verb finds the hub's things, and whose are meant. */
export interface Where extends Place {
  org: string;
}

/** Adds `--data`, `--database` and `--org` to a verb. */
export function withRegistryOptions(command: Command): Command {
  return withData(command).option('--org <name>', 'organisation whose things are meant', 'default');
}

/** Adds `--data` and `--database` to a verb. */
export function withData(command: Command): Command {
  return command.option('--data <dir>', 'folder of the hub (its database and certificates)', defaultData()).addOption(
    // The variable, since every user of the machine can read a password in the arguments.
    new Option('--database <url>', 'PostgreSQL database instead: postgres://user@host/name (docs/hub-postgresql.md)').env(
      'SCOUT_HUB_DATABASE',
    ),
  );
}

/** A usage error of scout-hub. */
export const usage = (detail: string): ScoutError => new ScoutError('USAGE', { detail, program: 'scout-hub' });

/** A hundred years: beyond what a date can hold, agents could not read until when a key is good. */
const LONGEST_MS = 36_500 * 86_400_000;

/** Whole milliseconds of an option, a hundred years at most. Throws USAGE. */
export function durationOption(name: string, text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw usage(`${name} ${text} is not a duration such as 24h, 30m or 0s`);
  if (ms > LONGEST_MS) throw usage(`${name} ${text} is more than a hundred years (36500d)`);
  return Math.round(ms);
}

/**
 * Opens the store for the time of one verb; a hub that runs on it sees what changes at once. Throws HUB_DATA where the
 * database fails: a full disk, a lock that stays; HUB_DATA_DAMAGED; HUB_DATABASE where that is PostgreSQL.
 */
export async function withStore<T>(place: Place, work: (store: Store) => Promise<T>): Promise<T> {
  const { openStore } = await import('../../hub/store/open.ts');
  try {
    const store = await openStore(place);
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SQLITE_ERROR') throw error;
    const { sqliteFault } = await import('../../hub/store/sqlite/integrity.ts');
    throw sqliteFault(place.data, error);
  }
}

/**
 * Opens the store for the time of one verb, on behalf of whoever runs it and for the organisation of `--org`. Where there is
 * none a hub is made with `begin` alone: an empty one in a folder that was mistyped would look like a fleet that is gone.
 * Throws HUB_ORGANISATION_UNKNOWN, HUB_DATA, HUB_DATABASE.
 */
export async function withRegistry<T>(
  { org: name, ...place }: Where,
  work: (hub: Registry) => Promise<T>,
  { begin = false } = {},
): Promise<T> {
  if (!begin && place.database === undefined) unlessThere(place.data);
  return withStore(place, async (store) => {
    const org = (await store.organisationByName(name))?.id;
    if (org === undefined) throw new ScoutError('HUB_ORGANISATION_UNKNOWN', { name });
    const { parseSilentAfter } = await import('../../hub/silence.ts');
    const silentAfter = parseSilentAfter((await store.silentAfter()) ?? '');
    return work({ store, now: () => Date.now(), org, actor: cliActor(), ...(silentAfter && { silentAfter }) });
  });
}

/** Throws HUB_DATA where a folder holds no database. */
function unlessThere(folder: string): void {
  try {
    statSync(join(folder, 'hub.db'));
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    const detail = ['ENOENT', 'ENOTDIR'].includes(code) ? 'there is no hub in it' : detailOf(error);
    throw new ScoutError('HUB_DATA', { path: folder, detail });
  }
}
