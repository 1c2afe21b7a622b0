import type { KeyUse } from '../store.ts';
import type { Sql } from './client.ts';

/** A key's last use is written no oftener than this, in ms. */
const LAST_USED_EVERY_MS = 5_000;

/** A use of a key, or of a credential, at a time. */
export interface Use {
  key: KeyUse;
  at: number;
}

/** Whether a use is worth writing; the database looks again, for the key may be of a moment ago. */
export const isWorthNoting = ({ key, at }: Use): boolean => key.lastUsed === null || Math.abs(at - key.lastUsed) >= LAST_USED_EVERY_MS;

/**
 * Notes uses. The first use of a `next` key makes it the current one, and that one previous: belongs into a transaction
 * then, one that has locked the key's server or that locks nothing else.
 */
export async function noteUses(sql: Sql, all: Use[]): Promise<void> {
  // The order in which rows are locked is the same for everybody who notes several.
  const uses = all.filter(isWorthNoting).toSorted((a, b) => (a.key.id < b.key.id ? -1 : 1));
  if (uses.length === 0) return;
  // Servers are locked before their keys, here as everywhere.
  for (const { key } of uses) if (key.slot === 'next') await promote(sql, key.id);
  const ids = sql.types.texts(uses.map(({ key }) => key.id));
  const times = sql.types.int8s(uses.map(({ at }) => at));
  for (const table of ['keys', 'credentials'])
    await sql`
      UPDATE ${sql(table)} AS k SET last_used = w.at FROM (
        SELECT t.id, w.at FROM ${sql(table)} AS t JOIN
          (SELECT id, max(at) AS at FROM unnest(${ids}::text[], ${times}::bigint[]) AS u (id, at) GROUP BY id) AS w ON w.id = t.id
        WHERE t.last_used IS NULL OR abs(w.at - t.last_used) >= ${LAST_USED_EVERY_MS} ORDER BY t.id FOR NO KEY UPDATE OF t
      ) AS w WHERE k.id = w.id`;
}

async function promote(sql: Sql, id: string): Promise<void> {
  const [row] = await sql`SELECT server FROM keys WHERE id = ${id} AND slot = 'next'`;
  if (!row) return;
  await sql`SELECT FROM servers WHERE number = ${row.server} FOR NO KEY UPDATE`;
  await sql`
    UPDATE keys SET slot = CASE WHEN id = ${id} THEN 'current' ELSE 'previous' END
    WHERE server = (SELECT server FROM keys WHERE id = ${id} AND slot = 'next') AND (id = ${id} OR slot = 'current')`;
}
