import type { Instance } from '../store.ts';
import type { Sql } from './client.ts';
import { Marks, type Seen } from './marks.ts';

/**
 * Most gaps kept of one instance; beyond that the lowest are taken as lost for good. An agent sends in order, so a gap
 * ten thousand gaps behind is never filled, and one that skips every other number must not fill the database.
 */
const GAPS_MOST = 10_000;

/** The numbers of an instance that came in one transaction; it is known by its server (its number) and its id together. */
export interface Numbers {
  server: number;
  instance: string;
  sequences: number[];
  /** When the last of them was received, ms. */
  seenAt: number;
  marks: Marks;
}

/** Reads what is known of instances. Belongs into a transaction that has locked their servers. */
export async function readNumbers(sql: Sql, wanted: Omit<Numbers, 'marks'>[]): Promise<Numbers[]> {
  const { int8s, texts } = sql.types;
  const rows = await sql`
    SELECT i.number, i.server, i.id, i.first_sequence AS first, i.last_sequence AS last, i.accepted, i.duplicates
    FROM instances AS i JOIN unnest(${int8s(wanted.map((one) => one.server))}::bigint[], ${texts(wanted.map((one) => one.instance))}::text[])
      AS w (server, id) ON i.server = w.server AND i.id = w.id`;
  const known = new Map(rows.map((row) => [`${row.server} ${row.id}`, { ...row, gaps: [] } as unknown as Seen & { number: number }]));
  // Of those that only come after the last one no gap is touched.
  const behind = wanted.flatMap(({ server, instance, sequences }) => {
    const seen = known.get(`${server} ${instance}`);
    const inside = seen ? sequences.filter((one) => one <= seen.last) : [];
    return seen && inside.length > 0 ? [{ seen, low: least(inside), high: most(inside) }] : [];
  });
  if (behind.length > 0) {
    const gaps = await sql`
      SELECT w.index, g.low, g.high FROM gaps AS g
      JOIN unnest(${int8s(behind.map((_, index) => index))}::bigint[], ${int8s(behind.map(({ seen }) => seen.number))}::bigint[],
        ${int8s(behind.map(({ low }) => low))}::bigint[], ${int8s(behind.map(({ high }) => high))}::bigint[])
        AS w (index, instance, low, high) ON g.instance = w.instance AND g.high >= w.low AND g.low <= w.high
      ORDER BY w.index, g.low`;
    for (const { index, low, high } of gaps) behind[index]?.seen.gaps.push([low, high]);
  }
  return wanted.map((one) => ({ ...one, marks: new Marks(known.get(`${one.server} ${one.instance}`), one.sequences[0] as number) }));
}

/** Writes what was marked. Belongs into the transaction that read it. */
export async function writeNumbers(sql: Sql, numbers: Numbers[]): Promise<void> {
  const { int8s, texts } = sql.types;
  const column = (of: (one: Numbers) => number) => int8s(numbers.map(of));
  const rows = await sql`
    INSERT INTO instances (server, id, first_sequence, last_sequence, accepted, duplicates, seen_at)
    SELECT w.server, w.id, w.first, w.last, w.accepted, w.duplicates, w.seen_at
    FROM unnest(${column((one) => one.server)}::bigint[], ${texts(numbers.map((one) => one.instance))}::text[],
      ${column(({ marks }) => marks.first)}::bigint[], ${column(({ marks }) => marks.last)}::bigint[],
      ${column(({ marks }) => marks.accepted)}::bigint[], ${column(({ marks }) => marks.duplicates)}::bigint[],
      ${column((one) => one.seenAt)}::bigint[]) WITH ORDINALITY AS w (server, id, first, last, accepted, duplicates, seen_at, n)
    ORDER BY w.n
    ON CONFLICT (server, id) DO UPDATE SET first_sequence = excluded.first_sequence, last_sequence = excluded.last_sequence,
      accepted = excluded.accepted, duplicates = excluded.duplicates, seen_at = excluded.seen_at
    RETURNING number, server, id`;
  const torn = new Map(rows.map((row) => [`${row.server} ${row.id}`, row.number as number]));
  const changes = numbers.map((one) => ({ instance: torn.get(`${one.server} ${one.instance}`) as number, ...one.marks.changes() }));
  const drop = changes.flatMap(({ instance, drop }) => drop.map((low) => ({ instance, low })));
  const add = changes.flatMap(({ instance, add }) => add.map(([low, high]) => ({ instance, low, high })));
  if (drop.length > 0)
    await sql`
      DELETE FROM gaps AS g USING unnest(${int8s(drop.map((one) => one.instance))}::bigint[], ${int8s(drop.map((one) => one.low))}::bigint[])
        AS w (instance, low) WHERE g.instance = w.instance AND g.low = w.low`;
  if (add.length === 0) return;
  await sql`
    INSERT INTO gaps (instance, low, high)
    SELECT * FROM unnest(${int8s(add.map((one) => one.instance))}::bigint[], ${int8s(add.map((one) => one.low))}::bigint[],
      ${int8s(add.map((one) => one.high))}::bigint[])`;
  for (const instance of new Set(add.map((one) => one.instance)))
    await sql`
      DELETE FROM gaps WHERE instance = ${instance} AND low <=
        (SELECT low FROM gaps WHERE instance = ${instance} ORDER BY low DESC LIMIT 1 OFFSET ${GAPS_MOST})`;
}

/** What was received from each instance of a server, the first one first. */
export async function instances(sql: Sql, serverId: string): Promise<Instance[]> {
  const rows = await sql`
    SELECT i.*, g.low, g.high FROM instances AS i JOIN servers AS s ON s.number = i.server LEFT JOIN gaps AS g ON g.instance = i.number
    WHERE s.id = ${serverId} ORDER BY i.number, g.low`;
  const found = new Map<number, Instance>();
  for (const row of rows) {
    const { id, first_sequence: firstSequence, last_sequence: lastSequence, accepted, duplicates } = row;
    const one: Instance = found.get(row.number) ?? { id, serverId, firstSequence, lastSequence, accepted, duplicates, gaps: [] };
    if (row.low !== null) one.gaps.push([row.low, row.high]);
    found.set(row.number, one);
  }
  return [...found.values()];
}

const least = (values: number[]) => values.reduce((a, b) => Math.min(a, b));
const most = (values: number[]) => values.reduce((a, b) => Math.max(a, b));
