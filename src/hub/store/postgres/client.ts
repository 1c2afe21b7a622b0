import type { Socket } from 'node:net';
import postgres from 'postgres';
import type { Address } from './address.ts';
import { openSocket } from './socket.ts';
import { enterUse } from './use.ts';

/** A statement is cancelled on the server, and its locks are given back, after this share of the time that work may take. */
const STATEMENT_SHARE = 0.8;
/** How long a transaction may stand open with nothing asked, ms: one of a hub that hangs must not hold the others up. */
const IDLE_IN_TRANSACTION_MS = 30_000;

/** Arrays go as literals of their own types, so that no connection has to ask the server for its types first. */
const arrays = {
  int8s: {
    to: 1_016,
    from: [],
    serialize: (values: (number | null)[]) => `{${values.map((one) => one ?? 'NULL').join(',')}}`,
    parse: String,
  },
  floats: { to: 1_022, from: [], serialize: (values: number[]) => `{${values.join(',')}}`, parse: String },
  texts: { to: 1_009, from: [], serialize: (values: string[]) => `{${values.map(quoted).join(',')}}`, parse: String },
};

const types = {
  ...arrays,
  // Whole numbers of the hub are below 2^53.
  int8: { to: 20, from: [20], serialize: String, parse: Number },
  // PostgreSQL keeps no NUL in a text, and a host that sends one in its name must not be shut out for it.
  text: { to: 25, from: [25], serialize: withoutNul, parse: (text: string) => text },
};

/** What statements are written with: text is a parameter wherever a value stands. */
export type Sql = postgres.Sql<{ int8s: (number | null)[]; floats: number[]; texts: string[]; int8: number; text: string }>;
/** Part of a statement. */
export type Fragment = postgres.Fragment;

/**
 * One connection. The driver's own pool is not used: after a broken connection it keeps state of it, and it would hand
 * the next statement of somebody else's transaction to a server that has forgotten the first. Here a connection that
 * broke is thrown away whole.
 */
export class Client {
  readonly sql: Sql;
  /** Whether its connection has ended; a new client takes its place. */
  over = false;
  /** Whether it is known to be connected, and to a server that writes. */
  proven = false;
  readonly #schema: string;
  #socket: Socket | undefined;

  constructor(address: Address, { host, port }: Address['hosts'][number]) {
    this.#schema = address.schema;
    this.sql = postgres({
      host,
      port,
      database: address.database,
      user: address.user,
      pass: address.password,
      // That is done by the time the driver has the socket.
      ssl: false,
      max: 1,
      max_lifetime: null,
      fetch_types: false,
      types,
      onnotice: () => {},
      // What was asked between the socket's error and its end, the driver would leave unanswered.
      onclose: () => this.destroy(),
      socket: () => this.#connect(address, host, port),
      connection: {
        application_name: 'scout-hub',
        search_path: address.schema,
        statement_timeout: Math.round(address.workMs * STATEMENT_SHARE),
        lock_timeout: Math.round(address.workMs * STATEMENT_SHARE),
        idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
        // What is acknowledged is on the disk, whatever the server is set to.
        synchronous_commit: 'on',
      },
    } as postgres.Options<Record<string, postgres.PostgresType>>) as unknown as Sql;
  }

  /** Connects. Throws what the connection, a server that only reads, or a copy under way has against it. */
  async prove(): Promise<void> {
    const [row] = await this.sql`SELECT current_setting('transaction_read_only') AS only`;
    if (row?.only === 'on') throw Object.assign(new Error('it only reads, as a standby does'), { code: 'CONNECTION_READ_ONLY' });
    if (!(await enterUse(this.sql, this.#schema)))
      throw Object.assign(new Error('`scout-hub copy` is at work on it'), { code: 'CONNECTION_COPIED' });
    this.proven = true;
  }

  /** Ends it at once; what it was asked and has not answered fails. */
  destroy(): void {
    this.over = true;
    void this.sql.end({ timeout: 0 }).catch(() => {});
    this.#socket?.destroy();
  }

  /** Ends it in order. */
  async close(): Promise<void> {
    this.over = true;
    await this.sql.end({ timeout: 1 });
    this.#socket?.destroy();
  }

  async #connect(address: Address, host: string, port: number): Promise<Socket> {
    // Left alone, the driver connects again, and what was to be the second half of a transaction would stand by itself.
    if (this.#socket) throw Object.assign(new Error('the connection broke'), { code: 'CONNECTION_CLOSED' });
    return openSocket(address, host, port, (socket) => {
      this.#socket = socket;
      if (this.over) socket.destroy();
    });
  }
}

function quoted(text: string): string {
  return `"${withoutNul(text).replace(/["\\]/g, '\\$&')}"`;
}

function withoutNul(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '\uFFFD') : text;
}
