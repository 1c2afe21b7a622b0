import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Accepted } from '../../protocol/heartbeat.ts';
import { BODY_MAX_BYTES, CONTENT_TYPE } from '../../protocol/wire.ts';
import { ScoutError } from '../../support/errors.ts';
import type { Caller, Gate } from '../gate.ts';
import type { Hub } from '../hub.ts';
import type { Metrics } from '../metrics.ts';
import { PROBLEM_TYPE, Refusal, refusalOf } from '../problems.ts';
import { type BodyType, batchOf } from './batch.ts';
import { encodingOf, readBody } from './body.ts';

/**
 * POST /api/v1/heartbeats. It stands beside the router and speaks to Node's request and response themselves: here
 * every step counts, a fleet comes through this door.
 */
export class Ingest {
  readonly #hub: Hub;
  readonly #gate: Gate;
  readonly #metrics: Metrics;

  constructor(hub: Hub, gate: Gate, metrics: Metrics) {
    this.#hub = hub;
    this.#gate = gate;
    this.#metrics = metrics;
  }

  /** Answers a request, whatever it is. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let caller: Caller | undefined;
    try {
      if (request.method !== 'POST')
        throw new Refusal('method_not_allowed', 'Heartbeats are sent with POST.', { headers: { allow: 'POST' } });
      // Before a byte of the body is read: who has no key makes the hub hold nothing.
      caller = await this.#gate.admit(request.headers, request.socket.remoteAddress ?? '');
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
    const body = await readBody(request, encoding);
    if (!body) return undefined;
    const batch = batchOf(body, encoding, type);
    const { server, key } = caller;
    const counts = await this.#hub.store.accept(server, key, batch, this.#hub.now());
    this.#metrics.accepted += counts.accepted;
    this.#metrics.duplicates += counts.duplicates;
    return { ...counts, ...(await this.#gate.standing(caller)) };
  }

  #judge(error: unknown, caller: Caller | undefined): Refusal {
    const gone = error instanceof ScoutError && error.code === 'HUB_SERVER_UNKNOWN';
    const refusal = gone ? new Refusal('key_refused', 'The server of this key was removed.') : refusalOf(error);
    if (refusal.code === 'internal') this.#hub.log?.error({ err: error }, 'a heartbeat request failed');
    // What the gate itself refused it has counted.
    return caller || refusal.code === 'method_not_allowed' ? this.#gate.count(refusal, gone ? undefined : caller?.server) : refusal;
  }
}

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
