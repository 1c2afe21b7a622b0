import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Accepted } from '../../protocol/heartbeat.ts';
import { BODY_MAX_BYTES, CONTENT_TYPE } from '../../protocol/wire.ts';
import { type Caller, type Gate, keyUseOf } from '../http/gate.ts';
import { PROBLEM_TYPE, Refusal } from '../http/problems.ts';
import { fromOf } from '../http/proxies.ts';
import { lackOf } from '../http/scopes.ts';
import type { Hub } from '../hub.ts';
import type { Metrics } from '../metrics.ts';
import type { Incoming, Server } from '../store/store.ts';
import { type BodyType, batchOf } from './batch.ts';
import { encodingOf, readBody, roomFor } from './body.ts';
import { Failures } from './failures.ts';
import { isGone, storeByHost } from './hosts.ts';
import { Room } from './room.ts';

/** What a client that was refused may take to send the rest. */
const DISCARD_MS = 10_000;

type Counts = Pick<Accepted, 'accepted' | 'duplicates'>;

/**
 * POST /api/v1/heartbeats. It stands beside the router and speaks to Node's request and response themselves: here
 * every step counts, a fleet comes through this door.
 */
export class Ingest {
  readonly #hub: Hub;
  readonly #gate: Gate;
  readonly #metrics: Metrics;
  readonly #failures: Failures;
  readonly #room: Room;

  /** `bodyBytes`: how much of bodies may be in memory at once. */
  constructor(hub: Hub, gate: Gate, metrics: Metrics, bodyBytes: number) {
    this.#hub = hub;
    this.#gate = gate;
    this.#metrics = metrics;
    this.#failures = new Failures(hub);
    this.#room = new Room(bodyBytes);
  }

  /** Answers a request, whatever it is. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let caller: Caller | undefined;
    try {
      if (request.method !== 'POST')
        throw new Refusal('method_not_allowed', 'Heartbeats are sent with POST.', { headers: { allow: 'POST' } });
      // Before a byte of the body is read: who has no key makes the hub hold nothing.
      caller = await this.#gate.admit(request.headers, fromOf(request));
      const lack = lackOf(caller, 'POST /api/v1/heartbeats');
      if (lack) throw lack;
      const accepted = await this.#take(request, caller);
      if (accepted) send(response, 200, 'application/json', accepted);
    } catch (error) {
      const refusal = this.#judge(error, caller);
      for (const [name, value] of Object.entries(refusal.headers)) response.setHeader(name, value);
      discard(request);
      send(response, refusal.status, PROBLEM_TYPE, refusal.body());
    }
  }

  async #take(request: IncomingMessage, caller: Caller): Promise<Accepted | undefined> {
    const type = typeOf(request);
    const encoding = encodingOf(request);
    return this.#room.hold(roomFor(request, encoding), async () => {
      const body = await readBody(request, encoding);
      return body && this.#keep(request, caller, batchOf(body, encoding, type));
    });
  }

  async #keep(request: IncomingMessage, caller: Caller, batch: Incoming[]): Promise<Accepted> {
    const counts = { accepted: 0, duplicates: 0 };
    // With a credential each host's are stored for themselves: should one fail, the others' come again as duplicates.
    for (const { accepted, duplicates } of await this.#store(caller, batch, fromOf(request) || null)) {
      counts.accepted += accepted;
      counts.duplicates += duplicates;
    }
    this.#metrics.accepted += counts.accepted;
    this.#metrics.duplicates += counts.duplicates;
    return { ...counts, ...(await this.#gate.standing(caller)) };
  }

  async #store(caller: Caller, batch: Incoming[], address: string | null): Promise<Counts[]> {
    if (caller.kind === 'credential') return storeByHost(this.#hub, caller, batch, address);
    return [await this.#hub.store.accept(caller.server, keyUseOf(caller), batch, this.#hub.now())];
  }

  #judge(error: unknown, caller: Caller | undefined): Refusal {
    const gone = caller?.kind === 'agent' && isGone(error);
    const refusal = gone ? new Refusal('key_refused', 'The server of this key was removed.') : this.#failures.judge(error);
    // What the gate itself refused it has counted.
    return caller || refusal.code === 'method_not_allowed' ? this.#gate.count(refusal, serverOf(caller, gone)) : refusal;
  }
}

const serverOf = (caller: Caller | undefined, gone: boolean): Server | undefined =>
  caller?.kind === 'agent' && !gone ? caller.server : undefined;

function typeOf(request: IncomingMessage): BodyType {
  const named = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (named === CONTENT_TYPE) return 'ndjson';
  if (named === 'application/json') return 'json';
  throw new Refusal('unsupported_type', `Content-Type must be ${CONTENT_TYPE} or application/json.`, {
    headers: { accept: `${CONTENT_TYPE}, application/json` },
  });
}

/** Lets the rest of a refused body run out, within limits: a client that is cut off while it writes never reads the answer. */
function discard(request: IncomingMessage): void {
  if (request.complete) return;
  let left = BODY_MAX_BYTES;
  const late = setTimeout(() => request.destroy(), DISCARD_MS);
  request.once('close', () => clearTimeout(late));
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) request.destroy();
  });
  request.resume();
}

function send(response: ServerResponse, status: number, type: string, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text), 'cache-control': 'no-store' });
  response.end(text);
}
