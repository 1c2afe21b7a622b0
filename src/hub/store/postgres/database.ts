import { ScoutError } from '../../../support/errors.ts';
import type { Address } from './address.ts';
import { Client, type Sql } from './client.ts';
import { isAnswer, isOutage, isPassing, translated } from './faults.ts';

/** Attempts at a transaction that others came in the way of. */
const ATTEMPTS = 8;

/** How long it may take to undo a transaction, ms. */
const UNDO_MS = 5_000;

interface Waiting {
  take(client: Client): void;
  give(error: ScoutError): void;
  timer: NodeJS.Timeout;
}

/** A client that is lent out, and whether it has been for too long. */
interface Loan {
  client: Client;
  late: boolean;
}

/**
 * Connections to one PostgreSQL database, each lent to one piece of work at a time. What fails because of the server
 * throws HUB_DATABASE, at once or after a while, and the next piece of work tries anew: when the server is back, so is
 * the hub.
 */
export class Database {
  readonly address: Address;
  readonly #onChange: (fault: string | null) => void;
  readonly #clients = new Set<Client>();
  readonly #idle: Client[] = [];
  readonly #waiting: Waiting[] = [];
  #host = 0;
  #gone = false;
  #closed = false;

  /** `onChange` hears when the database is lost (why) and when it is back (null). */
  constructor(address: Address, onChange: (fault: string | null) => void = () => {}) {
    this.address = address;
    this.#onChange = onChange;
  }

  /** Runs statements that need no transaction around them. */
  async run<T>(work: (sql: Sql) => PromiseLike<T>): Promise<T> {
    return this.#lend((client) => work(client.sql), this.address.workMs);
  }

  /**
   * Runs `work` in one transaction, undone as a whole when it throws, and again when another transaction came in its
   * way: `work` must have no effect but through `sql`, and wait for nothing else. `most`: for work that may take
   * longer, ms.
   */
  async transaction<T>(work: (sql: Sql) => Promise<T>, most = this.address.workMs): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#lend((client) => within(client, work, most > this.address.workMs ? most : null), most);
      } catch (error) {
        if (attempt >= ATTEMPTS || !isPassing(error)) throw error;
      }
    }
  }

  /** Ends every connection once its work is done; work that waits, or comes later, fails. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { give, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer);
      give(this.#fault('the store is closed'));
    }
    await Promise.all([...this.#clients].map((client) => client.close()));
  }

  async #lend<T>(work: (client: Client) => PromiseLike<T>, most: number): Promise<T> {
    const loan: Loan = { client: await this.#client(), late: false };
    const timer = setTimeout(() => {
      loan.late = true;
      loan.client.destroy();
    }, most);
    try {
      await this.#prove(loan);
      const result = await work(loan.client);
      this.#tell(null);
      return result;
    } catch (thrown) {
      if (isOutage(thrown) && !isAnswer(thrown)) this.#giveUp(loan.client);
      const error = loan.late ? this.#fault(`no answer within ${most / 1_000} s`) : translated(thrown, this.address.name);
      if (error instanceof ScoutError && error.code === 'HUB_DATABASE') this.#tell(error.message);
      throw error;
    } finally {
      clearTimeout(timer);
      this.#giveBack(loan.client);
    }
  }

  /** Connects a client that is new, to the next host where one does not serve. */
  async #prove(loan: Loan): Promise<void> {
    for (let left = this.address.hosts.length - 1; !loan.client.proven; left--) {
      try {
        await loan.client.prove();
      } catch (error) {
        if (left === 0 || loan.late) throw error;
        this.#giveUp(loan.client);
        this.#clients.delete(loan.client);
        loan.client = this.#fresh();
      }
    }
  }

  #giveUp(client: Client): void {
    client.destroy();
    this.#host++;
  }

  #client(): Promise<Client> | Client {
    if (this.#closed) throw this.#fault('the store is closed');
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      if (!idle.over) return idle;
      this.#clients.delete(idle);
    }
    if (this.#clients.size < this.address.connections) return this.#fresh();
    return new Promise((take, give) => {
      const waiting: Waiting = {
        take,
        give,
        timer: setTimeout(() => {
          this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
          give(this.#fault('every connection to it is busy'));
        }, this.address.workMs),
      };
      this.#waiting.push(waiting);
    });
  }

  #fresh(): Client {
    const { hosts } = this.address;
    const client = new Client(this.address, hosts[this.#host % hosts.length] as Address['hosts'][number]);
    this.#clients.add(client);
    return client;
  }

  #giveBack(client: Client): void {
    if (client.over) this.#clients.delete(client);
    const waiting = this.#waiting.shift();
    if (waiting) {
      clearTimeout(waiting.timer);
      waiting.take(client.over ? this.#fresh() : client);
    } else if (!client.over) this.#idle.push(client);
  }

  #tell(fault: string | null): void {
    if (this.#gone === (fault !== null) || this.#closed) return;
    this.#gone = fault !== null;
    this.#onChange(fault);
  }

  #fault(detail: string): ScoutError {
    return new ScoutError('HUB_DATABASE', { name: this.address.name, detail });
  }
}

async function within<T>(client: Client, work: (sql: Sql) => Promise<T>, longer: number | null): Promise<T> {
  const { sql } = client;
  await sql.unsafe('BEGIN');
  try {
    if (longer !== null) await sql.unsafe(`SET LOCAL statement_timeout = ${longer}`);
    const result = await work(sql);
    // A statement that failed unnoticed has undone all: the server says so here.
    const { command } = await sql.unsafe('COMMIT');
    if (command !== 'COMMIT') throw new Error('a transaction was undone, and nothing told why');
    return result;
  } catch (error) {
    // On a connection that broke there is nothing to undo, and nobody to tell.
    if (isAnswer(error) || !isOutage(error)) await undo(client);
    throw error;
  }
}

/** Of a connection that broke just now the driver may not hear, and wait for ever. */
async function undo(client: Client): Promise<void> {
  const timer = setTimeout(() => client.destroy(), UNDO_MS);
  await client.sql.unsafe('ROLLBACK').catch(() => client.destroy());
  clearTimeout(timer);
}
