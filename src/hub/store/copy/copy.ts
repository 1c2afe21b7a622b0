import { isDeepStrictEqual } from 'node:util';
import { ScoutError } from '../../../support/errors.ts';
import type { Place } from '../open.ts';
import type { Manner, Source, Target } from './side.ts';
import { COPIED } from './tables.ts';
import { type Trail, trailsOf } from './trails.ts';

const MANNER: Manner = { patienceMs: 5_000, segmentBytes: 64 * 1_048_576 };

export interface CopyOptions extends Partial<Manner> {
  /** Takes an audit trail that is broken over as it stands. */
  acceptBrokenAudit?: boolean;
  /** Hears how many rows of a table are done, after each part of them. */
  onProgress?: (table: string, done: number, all: number) => void;
}

/** What was copied, the same on both sides. */
export interface Copied {
  /** For people, without users or passwords. */
  from: string;
  to: string;
  /** Rows by table. */
  rows: Record<string, number>;
  trails: Trail[];
}

/**
 * Copies all that a hub keeps to an empty place, with SQLite or PostgreSQL on either side. Nobody else may have one of
 * them open meanwhile. Of the source nothing is changed, but that it is brought to this version as every command does;
 * whatever ends the process, the target is empty or complete. Throws HUB_COPY_BUSY, HUB_COPY_NONE, HUB_COPY_NOT_EMPTY,
 * HUB_COPY_AUDIT, HUB_COPY_DIFFERS, HUB_DATA, HUB_DATA_NEWER, HUB_DATA_DAMAGED, HUB_DATABASE, HUB_DATABASE_ADDRESS.
 */
export async function copyHub(from: Place, to: Place, options: CopyOptions = {}): Promise<Copied> {
  const [reading, writing] = [await endOf(from), await endOf(to)];
  const manner = { ...MANNER, ...options };
  return reading.asSource(from, manner, (source) => writing.asTarget(to, manner, (target) => copyAll(source, target, options)));
}

const endOf = ({ database }: Place) => (database === undefined ? import('./sqlite.ts') : import('./postgres.ts'));

async function copyAll(source: Source, target: Target, options: CopyOptions): Promise<Copied> {
  const trails = await trailsOf(source);
  const broken = trails.find(({ fault }) => fault !== null);
  if (broken?.fault && !options.acceptBrokenAudit)
    throw new ScoutError('HUB_COPY_AUDIT', { org: broken.org, line: String(broken.fault.line), detail: broken.fault.detail });
  const rows: Record<string, number> = {};
  for (const table of COPIED) {
    const all = await source.count(table);
    let done = 0;
    for await (const some of source.rows(table)) {
      await target.put(table, some);
      done += some.length;
      options.onProgress?.(table.name, done, all);
    }
    const arrived = await target.count(table);
    if (arrived !== all) throw differs(target, `${table.name}: ${arrived} of ${all} rows`);
    rows[table.name] = all;
  }
  await target.finish(await source.numbers());
  if (!isDeepStrictEqual(await trailsOf(target), trails)) throw differs(target, 'an audit trail is not as it was');
  return { from: source.name, to: target.name, rows, trails };
}

const differs = (target: Target, detail: string) => new ScoutError('HUB_COPY_DIFFERS', { place: target.name, detail });
