import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { decodeJwt, jwtVerify } from 'jose';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Config } from '../../src/config/schema.ts';
import { createCredential } from '../../src/credentials/create.ts';
import type { Credential } from '../../src/credentials/credential.ts';
import { ScoutDestination } from '../../src/delivery/scout.ts';
import { Transport } from '../../src/delivery/transport.ts';
import { beat, openSpool } from './support.ts';
import { accept, answer, authority, body, serve } from './tls.ts';

/* Signed tokens against a service that checks them by a clock of its own. */

const ca = authority();
const HOUR_MS = 3_600_000;
const START = Date.parse('2026-03-01T12:00:00Z');

/** A private key of this run, as a configuration holds it. */
function pair() {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const text = privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64url');
  const credential = createCredential({ private_key: text, credential_id: 'cred-1', auth: 'jwt' } as unknown as Config['api']);
  return { credential, publicKey };
}

const own = pair();

/** Both clocks of this host, set by hand. */
class Clocks {
  wall = START;
  mono = 5_000;
  now = () => this.wall;
  monotonic = () => this.mono;
  pass(ms: number): void {
    this.wall += ms;
    this.mono += ms;
  }
}

interface Service {
  /** How far its clock is ahead of this host's, ms. */
  ahead: number;
  /** Tokens that came, each with whether it was taken. */
  seen: { iat: number; exp: number; taken: boolean; token: string }[];
}

/** A service that takes the tokens of one public key, within `leeway` seconds, and a destination on it. */
async function service(clocks: Clocks, over: Partial<Service> & { dated?: boolean; key?: KeyObject; by?: Credential } = {}) {
  const { dated = true, key = own.publicKey, by = own.credential } = over;
  const state: Service = { ahead: over.ahead ?? 0, seen: [] };
  const { endpoint } = await serve(ca.issue(), async (request, response) => {
    await body(request);
    const now = new Date(clocks.now() + state.ahead);
    if (dated) response.setHeader('date', now.toUTCString());
    else response.sendDate = false;
    const token = String(request.headers.authorization).replace('Bearer ', '');
    const { iat, exp } = decodeJwt(token) as { iat: number; exp: number };
    const taken = await jwtVerify(token, createPublicKey(key.export({ type: 'spki', format: 'pem' })), {
      currentDate: now,
      clockTolerance: 5,
      maxTokenAge: 300,
    }).then(
      () => true,
      () => false,
    );
    state.seen.push({ iat, exp, taken, token });
    if (taken) accept(response, 1);
    else answer(response, 401, { detail: 'the token is not valid' });
  });
  const transport = new Transport({ endpoint, tls: { ca_file: ca.file }, env: {} });
  by.renew?.();
  const to = new ScoutDestination({ name: 'api', endpoint, credential: () => by, transport, host: clocks, timeout: 5_000 });
  onTestFinished(() => to.close());
  const { spool } = openSpool();
  spool.append(beat());
  const send = () => to.send(spool.batch('api', 1, 2 ** 20), new AbortController().signal);
  return { state, send };
}

const said = ({ seen }: Service) => seen.map(({ taken }) => taken);

describe('a token made by a clock that is wrong', () => {
  it.each([
    ['an hour ahead', -HOUR_MS],
    ['an hour behind', HOUR_MS],
  ])('%s of the service: is made again by the service’s clock, and sent once more', async (_, ahead) => {
    const clocks = new Clocks();
    const { state, send } = await service(clocks, { ahead });
    expect(await send()).toMatchObject({ kind: 'accepted', by: own.credential.fingerprint });
    expect(said(state)).toEqual([false, true]);
    // From then on the service's clock is known, also past a clock that is set right.
    clocks.pass(60_000);
    expect(await send()).toMatchObject({ kind: 'accepted' });
    clocks.wall += ahead;
    state.ahead = 0;
    clocks.pass(HOUR_MS);
    expect(await send()).toMatchObject({ kind: 'accepted' });
    expect(said(state)).toEqual([false, true, true, true]);
  });

  it('after the service’s clock was set, too', async () => {
    const clocks = new Clocks();
    const { state, send } = await service(clocks);
    await send();
    state.ahead = -HOUR_MS;
    expect(await send()).toMatchObject({ kind: 'accepted' });
    expect(said(state)).toEqual([true, false, true]);
  });

  it('is blamed on the clock once only', async () => {
    const other = pair();
    const { state, send } = await service(new Clocks(), { ahead: HOUR_MS, key: other.publicKey });
    expect(await send()).toMatchObject({ kind: 'unauthorized', by: own.credential.fingerprint });
    expect(said(state)).toEqual([false, false]);
    expect(await send()).toMatchObject({ kind: 'unauthorized' });
    expect(said(state)).toEqual([false, false, false]);
  });
});

describe('a refused token', () => {
  it('is the key’s fault where the clocks agree, and where nothing tells', async () => {
    const other = pair();
    for (const over of [{ ahead: 0 }, { ahead: HOUR_MS, dated: false }]) {
      const { state, send } = await service(new Clocks(), { ...over, key: other.publicKey });
      expect((await send()).kind).toBe('unauthorized');
      expect(state.seen).toHaveLength(1);
    }
  });
});

describe('a cached token', () => {
  it('is used until 30 s before its end, and made anew then', async () => {
    const clocks = new Clocks();
    const { state, send } = await service(clocks);
    await send();
    // The service's clock is taken to be at half a second more than its Date said.
    clocks.pass(269_000);
    await send();
    clocks.pass(2_000);
    await send();
    expect(said(state)).toEqual([true, true, true]);
    const [first, second, third] = state.seen.map(({ token }) => token);
    expect(second).toBe(first);
    expect(third).not.toBe(second);
  });

  it('is dropped when the service’s clock proves to be more than 30 s off, though the service took it', async () => {
    const clocks = new Clocks();
    const { state, send } = await service(clocks, { ahead: 0 });
    await send();
    await send();
    expect(state.seen[1]?.token).toBe(state.seen[0]?.token);
    state.ahead = 40_000;
    await send();
    await send();
    expect(said(state)).toEqual([true, true, true, true]);
    expect(state.seen[2]?.token).toBe(state.seen[0]?.token);
    expect((state.seen[3]?.iat ?? 0) - (state.seen[0]?.iat ?? 0)).toBeGreaterThanOrEqual(40);
  });
});
