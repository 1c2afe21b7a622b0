/**
 * The load that `bench/hub.ts` puts on a server: a process of its own, so that it has a core of its own. It speaks
 * HTTP/1.1 over kept TLS connections, with requests made beforehand, for what it measures is the other side.
 */
import { readFileSync } from 'node:fs';
import { connect, createSecureContext, type TLSSocket } from 'node:tls';
import { deserialize } from 'node:v8';

/** Requests: every body of `bodies` once with every header of `heads`. */
export interface Plan {
  /** Lines of a request's head that differ from one client to the next, each with its line end. */
  heads: string[];
  /** For each head the bodies it sends, in this order; one list is for all heads. */
  bodies: Buffer[][];
  /** Whether to begin anew after the last; a hub would count duplicates. */
  again: boolean;
}

export interface Job {
  port: number;
  /** Certificate of the authority, PEM. */
  ca: string;
  path: string;
  /** Lines of the head that all requests have, each with its line end. */
  common: string;
  /** File with a Plan, by node:v8's serialize. */
  plan: string;
  /**
   * `full`: `connections` clients that send as soon as they are answered. `paced`: a connection for each head, kept, which
   * sends when it stands, as an agent that starts does, and then every `period` ms.
   */
  mode: { kind: 'full'; connections: number } | { kind: 'paced'; period: number };
  /** Not measured, then measured, in ms. */
  warmUp: number;
  measured: number;
}

/** What the load tells: the connections stand; the measured time begins; it is over. */
export type Told =
  | { kind: 'connected'; seconds: number }
  | { kind: 'begin' }
  | { kind: 'end'; seconds: number; answered: number; p50: number; p99: number; failures: Record<string, number> };

const CONNECTING_AT_ONCE = 32;

/** One kept connection; one request at a time. */
class Client {
  readonly #socket: TLSSocket;
  #answer = '';
  #then: ((status: string) => void) | undefined;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.#take(text));
    socket.on('error', (error: NodeJS.ErrnoException) => this.#done(error.code ?? 'error'));
    socket.on('close', () => this.#done('closed'));
  }

  /** Sends a request; `then` gets the status of its answer, or what became of the connection. */
  send(head: string, body: Buffer, then: (status: string) => void): void {
    this.#then = then;
    this.#answer = '';
    this.#socket.cork();
    this.#socket.write(head, 'latin1');
    this.#socket.write(body);
    this.#socket.uncork();
  }

  #take(text: string): void {
    this.#answer += text;
    const head = this.#answer.indexOf('\r\n\r\n');
    if (head < 0) return;
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(this.#answer)?.[1] ?? 0);
    if (this.#answer.length >= head + 4 + length) this.#done(this.#answer.slice(9, 12));
  }

  #done(status: string): void {
    const then = this.#then;
    this.#then = undefined;
    then?.(status);
  }
}

/** Where what was measured is gathered. */
class Tally {
  readonly #latencies: number[] = [];
  readonly #failures: Record<string, number> = {};
  measuring = false;

  /** One answer to a request that was sent at `since`. */
  note(status: string, since: number): void {
    if (status !== '200' && status !== '204') this.#failures[status] = (this.#failures[status] ?? 0) + 1;
    else if (this.measuring) this.#latencies.push(performance.now() - since);
  }

  end(seconds: number): Told {
    const sorted = Float64Array.from(this.#latencies).sort();
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return { kind: 'end', seconds, answered: sorted.length, p50: at(0.5), p99: at(0.99), failures: this.#failures };
  }
}

const tell = (told: Told) => process.send?.(told);

process.once('message', (job: Job) => void run(job));

async function run(job: Job): Promise<void> {
  const plan: Plan = deserialize(readFileSync(job.plan));
  const secureContext = createSecureContext({ ca: job.ca, minVersion: 'TLSv1.2' });
  const open = () =>
    new Promise<Client>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: job.port, secureContext }, () => resolve(new Client(socket)));
      socket.once('error', reject);
    });
  const count = job.mode.kind === 'full' ? job.mode.connections : plan.heads.length;

  const bodiesOf = (index: number) => (plan.bodies[index] ?? plan.bodies[0]) as Buffer[];
  const headOf = (index: number, body: Buffer) =>
    `POST ${job.path} HTTP/1.1\r\nhost: 127.0.0.1:${job.port}\r\n${job.common}${plan.heads[index]}content-length: ${body.length}\r\nconnection: keep-alive\r\n\r\n`;
  const tally = new Tally();
  let over = false;

  /** One client after the other's turn: all heads send their first body, then their second, and so on. */
  function flood(client: Client): void {
    const [head, round] = [next % plan.heads.length, Math.floor(next / plan.heads.length)];
    next++;
    const bodies = bodiesOf(head);
    const body = bodies[plan.again ? round % bodies.length : round];
    if (over) return;
    if (!body) throw new Error('the load ran out of requests: give it more heads or bodies');
    const since = performance.now();
    client.send(headOf(head, body), body, (status) => {
      tally.note(status, since);
      flood(client);
    });
  }
  let next = 0;

  /** Times that were set are kept to: an answer that is late delays no later request. */
  function pace(client: Client, head: number, period: number, due: number, round: number): void {
    const body = bodiesOf(head)[round];
    if (over) return;
    if (!body) throw new Error('the load ran out of requests: give it more bodies');
    const send = () => {
      const since = performance.now();
      client.send(headOf(head, body), body, (status) => {
        tally.note(status, since);
        pace(client, head, period, due + period, round + 1);
      });
    };
    setTimeout(send, Math.max(0, due - performance.now()));
  }

  const { mode } = job;
  const clients: Client[] = [];
  const start = performance.now();
  const connectAll = async () => {
    for (let index = started++; index < count; index = started++) {
      const client = await open();
      clients.push(client);
      if (mode.kind === 'paced') pace(client, index, mode.period, performance.now(), 0);
    }
  };
  let started = 0;
  await Promise.all(Array.from({ length: CONNECTING_AT_ONCE }, connectAll));
  tell({ kind: 'connected', seconds: (performance.now() - start) / 1_000 });
  if (mode.kind === 'full') for (const client of clients) flood(client);
  setTimeout(() => {
    tally.measuring = true;
    const from = performance.now();
    tell({ kind: 'begin' });
    setTimeout(() => {
      tally.measuring = false;
      over = true;
      process.send?.(tally.end((performance.now() - from) / 1_000), () => process.exit());
    }, job.measured);
  }, job.warmUp);
}
