import type { Sql } from '../postgres/client.ts';
import { translated } from '../postgres/faults.ts';
import { beginSegment } from '../postgres/segments.ts';
import { handedOver } from './parameters.ts';
import type { Source, Target } from './side.ts';
import { type Cell, COPIED, COPIED_META, type CopiedRow, type CopiedTable, columnsOf, type Numbers, names } from './tables.ts';

/** Rows that the server is asked for at a time. */
const PART_ROWS = 200;
/** Tables in which a database that was never used has rows all the same, or that tell of processes. */
const ALWAYS = ['meta', 'organisations', 'cursors'];

/** A hub's schema in PostgreSQL that is copied, in a transaction of its caller's. What the server is at fault for becomes HUB_DATABASE. */
export class PostgresSource implements Source {
  readonly name: string;
  protected readonly sql: Sql;
  #fault: { told: unknown; as: unknown } | undefined;

  constructor(sql: Sql, name: string) {
    this.sql = sql;
    this.name = name;
  }

  async count(table: CopiedTable): Promise<number> {
    const [row] = await this.told(() => this.sql.unsafe(`SELECT count(*)::int8 AS count FROM ${fromOf(table)}`));
    return row?.count;
  }

  async *rows(table: CopiedTable): AsyncGenerator<CopiedRow[]> {
    const columns = Object.keys(table.columns);
    const text = `SELECT ${columnsOf(table)} FROM ${fromOf(table)} ORDER BY ${names(table.order)}`;
    // Not as a simple query, of which a cursor cannot be had.
    const parts = this.sql
      .unsafe(text, [], { simple: false } as object)
      .cursor(PART_ROWS)
      [Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await this.told(() => parts.next());
      if (done) return;
      if (value.length > 0) yield value.map((row) => columns.map((name) => row[name] as Cell));
    }
  }

  async numbers(): Promise<Numbers> {
    const last = async (sequence: string): Promise<number> => {
      const [row] = await this.told(() =>
        this.sql.unsafe(`SELECT CASE WHEN is_called THEN last_value ELSE 0 END::int8 AS last FROM ${sequence}`),
      );
      return row?.last;
    };
    return {
      servers: await last(SEQUENCES.servers),
      instances: await last(SEQUENCES.instances),
      heartbeats: await last(SEQUENCES.heartbeats),
    };
  }

  /**
   * What an error was before it was told as the fault of this side: its own transaction has to know whether there is still a
   * connection to undo it on.
   */
  untold(error: unknown): unknown {
    const fault = this.#fault;
    return fault && fault.told === error ? fault.as : error;
  }

  protected async told<T>(work: () => PromiseLike<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const told = translated(error, this.name);
      this.#fault = { told, as: error };
      throw told;
    }
  }
}

/** A hub's schema in PostgreSQL that is filled. */
export class PostgresTarget extends PostgresSource implements Target {
  readonly #segmentBytes: number;
  #room: number;

  constructor(sql: Sql, name: string, segmentBytes: number) {
    super(sql, name);
    this.#segmentBytes = segmentBytes;
    this.#room = segmentBytes;
  }

  /** The table that has rows of a hub; undefined where there is none. */
  async taken(): Promise<string | undefined> {
    const asked = COPIED.map(({ name }) => name).filter((name) => !ALWAYS.includes(name));
    const all = [...asked.map((name) => `SELECT '${name}' AS name WHERE EXISTS (SELECT FROM ${name})`), ANOTHER];
    const [row] = await this.told(() => this.sql.unsafe(`${all.join(' UNION ALL ')} LIMIT 1`));
    return row?.name;
  }

  /** Drops what an empty schema has by itself, and what tells of a hub that was started on it. */
  async begin(): Promise<void> {
    await this.told(() =>
      this.sql.unsafe(`
        DELETE FROM organisations;
        DELETE FROM cursors;
        DELETE FROM leases;
        DELETE FROM meta WHERE ${COPIED_META};
        UPDATE meta SET value = '0' WHERE name = 'window_from'`),
    );
  }

  async put(table: CopiedTable, rows: CopiedRow[]): Promise<void> {
    if (rows.length === 0) return;
    const { sources, selected, values } = handedOver(table, rows);
    const [segment, into] = table.name === 'heartbeats' ? ['(SELECT max(number) FROM segments), ', 'segment, '] : ['', ''];
    await this.told(() =>
      this.sql.unsafe(
        `INSERT INTO ${table.name} (${into}${columnsOf(table)}) OVERRIDING SYSTEM VALUE SELECT ${segment}${selected} FROM ${sources}`,
        values,
      ),
    );
    if (table.name === 'heartbeats') await this.#count(rows);
  }

  async finish({ servers, instances, heartbeats }: Numbers): Promise<void> {
    const to = (sequence: string, last: number) => `SELECT setval('${sequence}', ${Math.max(last, 1)}, ${last > 0})`;
    await this.told(() =>
      this.sql.unsafe(
        [
          to(SEQUENCES.servers, servers),
          to(SEQUENCES.instances, instances),
          to(SEQUENCES.heartbeats, heartbeats),
          `UPDATE meta SET value = (SELECT coalesce(sum(octet_length(frame)), 0) FROM rollups)::text WHERE name = 'rollup_bytes'`,
          // Until it is known how many rows there are, they are looked for in the wrong way.
          `ANALYZE ${COPIED.map(({ name }) => name).join(', ')}`,
        ].join('; '),
      ),
    );
  }

  /** Begins another segment once one has its share, as the hub does. */
  async #count(rows: CopiedRow[]): Promise<void> {
    for (const row of rows) for (const cell of row) if (cell instanceof Uint8Array) this.#room -= cell.length;
    if (this.#room > 0) return;
    this.#room = this.#segmentBytes;
    await this.told(() => beginSegment(this.sql));
  }
}

const SEQUENCES = { servers: 'servers_number_seq', instances: 'instances_number_seq', heartbeats: 'heartbeat_numbers' };
const ANOTHER = `SELECT 'organisations' AS name WHERE EXISTS (SELECT FROM organisations WHERE id <> 'default')`;
/** What was received before it counts as dropped, and is seen by nobody. */
const WINDOW = `received >= (SELECT value::bigint FROM meta WHERE name = 'window_from')`;

function fromOf({ name, only }: CopiedTable): string {
  const which = name === 'heartbeats' ? WINDOW : only;
  return which === undefined ? name : `${name} WHERE ${which}`;
}
