import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import { sqliteFault } from '../sqlite/integrity.ts';
import type { Source, Target } from './side.ts';
import { type Cell, COPIED_META, type CopiedRow, type CopiedTable, columnsOf, type Kind, NUMBERED, type Numbers, names } from './tables.ts';

/** Rows that are handed over at a time, and about how many bytes of text and frames. */
const [PART_ROWS, PART_BYTES] = [500, 4 * 1_048_576];
/** It notes a stretch for each heartbeat, and those are copied by themselves. */
const TRIGGER = 'heartbeats_unrolled';

/** A SQLite database that is copied. What SQLite throws becomes HUB_DATA, or HUB_DATA_DAMAGED. */
export class SqliteSource implements Source {
  readonly name: string;
  protected readonly database: DatabaseSync;
  readonly #path: string;

  constructor(database: DatabaseSync, name: string, path: string) {
    this.database = database;
    this.name = name;
    this.#path = path;
  }

  async count(table: CopiedTable): Promise<number> {
    return this.told(() => Number(this.database.prepare(`SELECT count(*) AS count FROM ${fromOf(table)}`).get()?.count));
  }

  async *rows(table: CopiedTable): AsyncGenerator<CopiedRow[]> {
    const kinds = Object.entries(table.columns);
    const all = this.told(() =>
      this.database.prepare(`SELECT ${columnsOf(table)} FROM ${fromOf(table)} ORDER BY ${names(table.order)}`).iterate(),
    );
    for (;;) {
      const part: CopiedRow[] = [];
      for (let bytes = 0; part.length < PART_ROWS && bytes < PART_BYTES; ) {
        const { done, value } = this.told(() => all.next());
        if (done) break;
        const cells = kinds.map(([name, kind]) => cellOf((value as Record<string, SQLOutputValue>)[name] ?? null, kind));
        for (const cell of cells) if (typeof cell === 'object' || typeof cell === 'string') bytes += cell?.length ?? 0;
        part.push(cells);
      }
      if (part.length === 0) return;
      yield part;
    }
  }

  async numbers(): Promise<Numbers> {
    const given = this.database.prepare('SELECT seq FROM sqlite_sequence WHERE name = ?');
    return this.told(() => ({
      servers: Number(given.get('servers')?.seq ?? 0),
      heartbeats: Number(given.get('heartbeats')?.seq ?? 0),
      instances: Number(this.database.prepare('SELECT coalesce(max(number), 0) AS last FROM instances').get()?.last),
    }));
  }

  protected told<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw sqliteFault(this.#path, error);
    }
  }
}

/** A SQLite database that is filled, in a transaction of its caller's; it was made just now. */
export class SqliteTarget extends SqliteSource implements Target {
  readonly #adding = new Map<string, StatementSync>();
  readonly #trigger: string;

  constructor(database: DatabaseSync, name: string, path: string) {
    super(database, name, path);
    this.#trigger = String(database.prepare('SELECT sql FROM sqlite_schema WHERE name = ?').get(TRIGGER)?.sql);
  }

  /** Drops what a new database has by itself. */
  begin(): void {
    this.told(() => this.database.exec(`DROP TRIGGER ${TRIGGER}; DELETE FROM organisations; DELETE FROM meta WHERE ${COPIED_META}`));
  }

  async put(table: CopiedTable, rows: CopiedRow[]): Promise<void> {
    this.told(() => {
      const adding = this.#adding.get(table.name) ?? this.database.prepare(insertInto(table));
      this.#adding.set(table.name, adding);
      for (const row of rows) adding.run(...row.map(storedOf));
    });
  }

  async finish(last: Numbers): Promise<void> {
    this.told(() => {
      this.database.exec(this.#trigger);
      const [forget, note] = [
        this.database.prepare('DELETE FROM sqlite_sequence WHERE name = ?'),
        this.database.prepare('INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)'),
      ];
      // Instances are numbered by the highest there is.
      for (const name of NUMBERED.filter((one) => one !== 'instances')) {
        forget.run(name);
        note.run(name, last[name]);
      }
    });
  }
}

const fromOf = ({ name, only }: CopiedTable): string => `${name}${only === undefined ? '' : ` WHERE ${only}`}`;

const insertInto = (table: CopiedTable): string => {
  const marks = Object.keys(table.columns).map(() => '?');
  return `INSERT INTO ${table.name} (${columnsOf(table)}) VALUES (${marks.join(', ')})`;
};

const cellOf = (value: SQLOutputValue, kind: Kind): Cell => (kind === 'bool' && value !== null ? value === 1 : (value as Cell));
const storedOf = (cell: Cell): SQLInputValue => (typeof cell === 'boolean' ? Number(cell) : cell);
