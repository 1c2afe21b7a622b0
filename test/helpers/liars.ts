import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { fingerprint } from '../../src/support/fingerprint.ts';
import { answer, body } from '../delivery/tls.ts';

/*
 * A true key service in memory, and what may stand in front of it: each liar speaks TLS with a certificate that is
 * trusted, and says what is not so.
 */

const PROBLEM = (status: number, code: string, detail = `${code} it is`) => ({ type: 'about:blank', title: code, status, detail, code });

/** What a liar stands in front of. */
export interface Behind {
  policy: 'immediate' | 'grace' | 'multi';
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

/** A service that keeps API keys by their text, or organisation credentials by their public half. */
export class TrueService implements Behind {
  /** Fingerprints of the keys that it takes, with what it knows of each. */
  readonly alive = new Map<string, { sha256?: string; publicKey?: ReturnType<typeof createPublicKey>; id: string }>();
  readonly minted = new Map<string, string>();
  readonly carriedOut: string[] = [];
  /** Added to its clock, ms. */
  offset = 0;
  policy: 'immediate' | 'grace' | 'multi' = 'multi';

  constructor(key?: string) {
    if (key !== undefined) this.learn(createHash('sha256').update(key).digest('hex'));
  }

  learn(sha256: string): string {
    this.alive.set(sha256.slice(0, 12), { sha256, id: 's-1' });
    return sha256.slice(0, 12);
  }

  learnPair(spki: string, id: string): string {
    const publicKey = createPublicKey({ key: Buffer.from(spki, 'base64url'), format: 'der', type: 'spki' });
    const { e, n } = publicKey.export({ format: 'jwk' });
    const print = createHash('sha256')
      .update(JSON.stringify({ e, kty: 'RSA', n }))
      .digest('hex')
      .slice(0, 12);
    this.alive.set(print, { publicKey, id });
    return print;
  }

  /** Whether it would take this key now. */
  accepts(key: string): boolean {
    return this.alive.has(fingerprint(key));
  }

  readonly listener: RequestListener = (request, response) => void this.handle(request, response);

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = (await body(request)).toString();
    const now = Date.now() + this.offset;
    response.sendDate = false;
    response.setHeader('date', new Date(now).toUTCString());
    const path = request.url ?? '';
    const by = this.#who(request, now);
    // A mint is answered again to whoever knows its key and its Idempotency-Key, dead or not.
    const again = path.endsWith('/mint') && this.minted.get(`${request.headers['x-api-key']} ${request.headers['idempotency-key']}`);
    if (by === undefined && !again) return answer(response, 401, PROBLEM(401, 'key_refused'));
    if (path.endsWith('/whoami')) return answer(response, 200, this.#whoami(by as string, now));
    if (path.endsWith('/heartbeats')) return answer(response, 400, PROBLEM(400, 'bad_request', 'no heartbeats in it'));
    this.carriedOut.push(`${path} ${text}`);
    const sent = JSON.parse(text || '{}');
    if (path.endsWith('/retire')) {
      if (sent.fingerprint === by) return answer(response, 409, PROBLEM(409, 'key_in_use'));
      return answer(response, 200, { fingerprint: sent.fingerprint, retired: this.alive.delete(sent.fingerprint) });
    }
    const rest = { slot: 'current', previous_key_valid_until: null };
    if (path.endsWith('/register')) {
      const made = sent.sha256 ? this.learn(sent.sha256) : this.learnPair(sent.public_key, 'c-2');
      if (this.policy === 'immediate' && made !== by) this.alive.delete(by as string);
      return answer(response, 200, { fingerprint: made, ...rest, ...(sent.public_key && { credential_id: 'c-2' }) });
    }
    if (path.endsWith('/mint')) {
      const key = again || randomBytes(32).toString('hex');
      this.minted.set(`${request.headers['x-api-key']} ${request.headers['idempotency-key']}`, key);
      this.learn(createHash('sha256').update(key).digest('hex'));
      if (this.policy === 'immediate' && by) this.alive.delete(by);
      return answer(response, 200, { key, fingerprint: fingerprint(key), ...rest, replayed: Boolean(again) });
    }
    return answer(response, 404, PROBLEM(404, 'not_found'));
  }

  #who(request: IncomingMessage, now: number): string | undefined {
    const key = request.headers['x-api-key'];
    if (typeof key === 'string') return this.accepts(key) ? fingerprint(key) : undefined;
    const [header = '', claims = '', signature = ''] = (request.headers.authorization ?? '').replace('Bearer ', '').split('.');
    for (const [print, { publicKey }] of this.alive) {
      if (!publicKey || !verify('sha256', Buffer.from(`${header}.${claims}`), publicKey, Buffer.from(signature, 'base64url'))) continue;
      const { iat, exp } = JSON.parse(Buffer.from(claims, 'base64url').toString());
      return iat <= now / 1_000 + 2 && exp > now / 1_000 ? print : undefined;
    }
    return undefined;
  }

  #whoami(by: string, now: number) {
    const pair = this.alive.get(by)?.publicKey;
    return {
      service: 'scout-hub',
      service_id: 'hub-1',
      version: '0.1.0',
      server: pair ? null : { id: 's-1', name: 'web-1', policy: this.policy },
      ...(pair && { credential: { id: 'c-1', name: 'fleet', role: 'member', scopes: [] } }),
      fingerprint: by,
      slot: 'current',
      previous_key_valid_until: null,
      rotation: ['register', 'mint', 'retire'],
      time: new Date(now).toISOString(),
    };
  }
}

/** Sends the request on to the true service, and hands back the answer instead of giving it. */
async function behind(service: Behind, request: IncomingMessage): Promise<{ status: number; type: string; text: string }> {
  let [status, type] = [0, ''];
  const { promise, resolve } = Promise.withResolvers<string>();
  const caught = {
    setHeader: () => caught,
    writeHead: (given: number, headers: Record<string, string>) => {
      [status, type] = [given, headers['content-type'] ?? ''];
      return caught;
    },
    end: (text: string) => resolve(text),
  };
  await service.handle(request, caught as unknown as ServerResponse);
  return { status, type, text: await promise };
}

const html =
  (status: number): RequestListener =>
  (_, response) =>
    void response.writeHead(status, { 'content-type': 'text/html; charset=utf-8' }).end('<!doctype html><title>Sign in</title>');

/** Says yes to everything, in the very shape that is expected: it knows the key only from the request. */
const yes = (request: IncomingMessage, response: ServerResponse, text: string, service: Behind) => {
  const sent = JSON.parse(text || '{}');
  const key = randomBytes(32).toString('hex');
  const said = fingerprint(String(request.headers['x-api-key'] ?? ''));
  answer(response, 200, {
    service: 'scout-hub',
    service_id: 'hub-1',
    version: '0.1.0',
    server: { id: 's-1', name: 'web-1', policy: service.policy },
    rotation: ['register', 'mint', 'retire'],
    time: new Date().toISOString(),
    slot: 'current',
    previous_key_valid_until: null,
    accepted: 0,
    duplicates: 0,
    replayed: false,
    retired: true,
    ...(request.url?.endsWith('/mint') ? { key, fingerprint: fingerprint(key) } : {}),
    ...(request.url?.endsWith('/mint') ? {} : { fingerprint: sent.sha256?.slice(0, 12) ?? sent.fingerprint ?? said }),
  });
};

/** A liar, and what must be told of it; `told` undefined: what it does is told by other means, or harmless. */
export interface Liar {
  name: string;
  /** `on`: the routes whose requests it lies about; all others go through to the service. */
  listen(service: Behind, on?: RegExp): RequestListener;
  told: RegExp;
}

const lies =
  (lie: (request: IncomingMessage, response: ServerResponse, service: Behind) => unknown) =>
  (service: Behind, on = /./): RequestListener =>
  (request, response) =>
    void (on.test(request.url ?? '') ? lie(request, response, service) : service.handle(request, response));

/** The liars that never let an honest answer through on the routes they lie about. */
export const LIARS: Liar[] = [
  {
    name: 'yes to everything',
    listen: lies(async (request, response, service) => yes(request, response, (await body(request)).toString(), service)),
    told: /accepts any key/,
  },
  {
    name: "a proxy's 401 page",
    listen: lies((request, response) => html(401)(request, response)),
    told: /text\/html page came with 401.*proxy/,
  },
  {
    name: "a proxy's 401 in JSON",
    listen: lies((_, response) =>
      response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify(PROBLEM(401, 'unauthorized'))),
    ),
    told: /application\/json page came with 401.*proxy/,
  },
  { name: 'HTML with 200', listen: lies((request, response) => html(200)(request, response)), told: /text\/html page came with 200/ },
  {
    name: 'an answer that is lost',
    listen: lies(async (request, _response, service) => {
      await behind(service, request);
      request.socket.destroy();
    }),
    told: /reset/,
  },
  {
    name: '403',
    listen: lies((_, response) => answer(response, 403, PROBLEM(403, 'forbidden', 'your role may not'))),
    told: /403.*your role may not|your role may not/,
  },
  {
    name: 'a reset in mid-body',
    listen: lies(async (request, response, service) => {
      const { status, type, text } = await behind(service, request);
      const half = text.slice(0, text.length / 2);
      response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
      response.write(half, () => setImmediate(() => request.socket.end()));
    }),
    told: /broke off after \d+ bytes/,
  },
  {
    name: 'JSON that breaks off',
    listen: lies(async (request, response, service) => {
      const { status, type, text } = await behind(service, request);
      response.writeHead(status, { 'content-type': type }).end(text.slice(0, text.length / 2));
    }),
    told: /no JSON, or breaks off \(\d+ bytes\)/,
  },
];
