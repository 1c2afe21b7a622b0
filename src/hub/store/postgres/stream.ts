import type { Cursor, Placed } from '../stream.ts';
import type { Sql } from './client.ts';
import type { Database } from './database.ts';
import { horizon } from './order.ts';

/** Heartbeats after a place, as the interface has it. */
export async function after(database: Database, place: number, most: number, bytes: number): Promise<Placed[]> {
  const last = await horizon(database);
  if (last <= place) return [];
  const rows = await database.run(
    (sql) => sql`
      SELECT * FROM (
        SELECT h.*, sum(octet_length(h.frame)) OVER (ORDER BY h.number) AS bytes, row_number() OVER (ORDER BY h.number) AS n FROM (
          SELECT h.number, h.time, h.received, h.frame, s.id, s.org, s.name FROM heartbeats AS h JOIN servers AS s ON s.number = h.server
          WHERE h.number > ${place} AND h.number <= ${last}
            AND h.received >= (SELECT value::bigint FROM meta WHERE name = 'window_from')
          ORDER BY h.number LIMIT ${most}
        ) AS h
      ) AS h WHERE n = 1 OR bytes <= ${bytes} ORDER BY number`,
  );
  return rows.map(({ number, id, org, name, time, received, frame }) => ({
    place: number,
    server: { id, org, name },
    time,
    received,
    frame: new Uint8Array(frame),
  }));
}

export async function openCursor(database: Database, name: string, from: 'now' | 'start'): Promise<Cursor> {
  const find = async () => (await database.run((sql) => sql`SELECT place, lost FROM cursors WHERE name = ${name}`))[0];
  let found = await find();
  if (!found) {
    const place = from === 'now' ? await horizon(database) : 0;
    await database.run((sql) => sql`INSERT INTO cursors (name, place) VALUES (${name}, ${place}) ON CONFLICT DO NOTHING`);
    found = await find();
  }
  return { place: found?.place, lost: found?.lost };
}

export async function moveCursor(sql: Sql, name: string, place: number): Promise<void> {
  await sql`UPDATE cursors SET place = ${place} WHERE name = ${name} AND place < ${place}`;
}

export async function lease(sql: Sql, name: string, holder: string, now: number, ms: number): Promise<boolean> {
  const { count } = await sql`
    INSERT INTO leases AS l (name, holder, until) VALUES (${name}, ${holder}, ${now + ms})
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
    WHERE l.holder = excluded.holder OR l.until <= ${now} OR (${ms}::bigint > 0 AND l.until > ${now + 6 * ms}::bigint)`;
  return count === 1 && ms > 0;
}
