import { createHash, createPublicKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { configSchema } from '../../src/config/schema.ts';
import { createKeyService } from '../../src/rotation/service.ts';
import { ScoutError } from '../../src/support/errors.ts';
import { fingerprint } from '../../src/support/fingerprint.ts';
import { freshKey } from '../config/scratch.ts';
import { freshRsa } from '../credentials/scratch-keys.ts';
import { authority, serve } from '../delivery/tls.ts';
import { LIARS, type Liar, TrueService } from '../helpers/liars.ts';

const ca = authority();
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

async function face(liar: Liar | undefined, on?: RegExp) {
  const [key, fresh] = [freshKey(), freshKey()];
  const truth = new TrueService(key);
  const { endpoint } = await serve(ca.issue(), liar ? liar.listen(truth, on) : truth.listener);
  const config = configSchema.parse({ api: { endpoint, key, timeout: '5s' }, tls: { ca_file: ca.file } });
  return { key, fresh, truth, service: createKeyService(config, {}), by: { 'api.key': key } };
}

/** What a call came to, as text: its answer, or the error. */
async function outcome(work: () => Promise<{ kind: string; detail?: string }>): Promise<string> {
  try {
    const found = await work();
    return `${found.kind} ${found.detail ?? ''}`;
  } catch (error) {
    if (error instanceof ScoutError) return `${error.code} ${error.message}`;
    throw error;
  }
}

describe('a true service', () => {
  it('is believed', async () => {
    const { key, fresh, service, by, truth } = await face(undefined);
    expect(await service.whoami(by)).toMatchObject({ kind: 'accepted', whoami: { fingerprint: fingerprint(key) } });
    expect(await service.register(by, { sha256: sha256(fresh) })).toMatchObject({
      kind: 'done',
      value: { fingerprint: fingerprint(fresh) },
    });
    const { proof, problems } = await service.prove({ 'api.key': fresh });
    expect(problems).toEqual([]);
    expect(proof).toMatchObject({ ok: true, policy: 'multi', rotation: ['register', 'mint', 'retire'] });
    const minted = await service.mint(by, 'a'.repeat(36));
    expect(await service.mint(by, 'a'.repeat(36))).toMatchObject({
      kind: 'done',
      value: { key: (minted as { value: { key: string } }).value.key },
    });
    expect(await service.retire({ 'api.key': fresh }, fingerprint(key))).toMatchObject({ kind: 'done', value: { retired: true } });
    expect(await service.whoami(by)).toMatchObject({ kind: 'refused' });
    expect(truth.accepts(fresh)).toBe(true);
  });
});

describe.each(LIARS)('$name', (liar) => {
  const isYes = liar.name === 'yes to everything';

  it('proves nothing', async () => {
    const { service, by, key } = await face(liar);
    const { proof, problems } = await service.prove(by);
    expect(proof.ok).toBe(false);
    expect(problems.map(({ code, message }) => `${code} ${message}`).join('\n')).toMatch(liar.told);
    expect(JSON.stringify({ proof, problems })).not.toContain(key);
  });

  it('proves nothing when only the random key meets it', async () => {
    // The honest service answers the first question, the liar every later one.
    const key = freshKey();
    const own = new TrueService(key);
    let asked = 0;
    const { endpoint } = await serve(ca.issue(), (request, response) =>
      asked++ === 0 ? own.listener(request, response) : liar.listen(own)(request, response),
    );
    const config = configSchema.parse({ api: { endpoint, key, timeout: '5s' }, tls: { ca_file: ca.file } });
    const { proof } = await createKeyService(config, {}).prove({ 'api.key': key });
    expect(proof.ok).toBe(false);
    expect(proof.steps.at(-1)).toMatchObject({ name: 'control', ok: false });
  });

  it.each(['whoami', 'register', 'mint', 'retire'] as const)('is told from an answer to %s', async (call) => {
    const { service, by, fresh, truth, key } = await face(liar, new RegExp(`/${call}$`));
    const other = truth.learn(sha256(freshKey()));
    const calls = {
      whoami: () => service.whoami(by),
      register: () => service.register(by, { sha256: sha256(fresh) }),
      mint: () => service.mint(by, 'i'.repeat(36)),
      retire: () => service.retire(by, other),
    };
    const found = await outcome(calls[call]);
    expect(found).not.toContain(key);
    expect(truth.accepts(key)).toBe(true);
    if (isYes) {
      // It can be found out by the proof alone: what it registered or minted is not taken.
      expect(found).toMatch(/^(done|accepted)/);
      if (call === 'register') expect((await service.prove({ 'api.key': fresh })).proof.ok).toBe(false);
      return;
    }
    expect(found).toMatch(liar.told);
    expect(found).not.toMatch(/^(done|accepted|declined|refused)/);
    if (/lost|reset|breaks/.test(liar.name) && call !== 'whoami') {
      expect(found).toMatch(/may have been carried out/);
      expect(truth.carriedOut.length).toBe(1);
    }
  });
});

describe.each([-3_600_000, 3_600_000])('a clock that is %d ms off', (offset) => {
  it('is a warning for an API key', async () => {
    const { service, by, truth } = await face(undefined);
    truth.offset = offset;
    const { proof, problems } = await service.prove(by);
    expect(proof.ok).toBe(true);
    expect(problems).toMatchObject([{ code: 'CLOCK_SKEW', severity: 'warning' }]);
    expect(Math.round((proof.skew_seconds ?? 0) / 10)).toBe(-offset / 10_000);
  });

  it('does not make a signed token a refused key', async () => {
    const { truth, service } = await face(undefined);
    truth.offset = offset;
    const [pair, next] = [freshRsa(), freshRsa()];
    const spki = (rsa: typeof pair) => createPublicKey(rsa.privateKey).export({ format: 'der', type: 'spki' }).toString('base64url');
    truth.learnPair(spki(pair), 'c-1');
    const by = { 'api.private_key': pair.text, 'api.credential_id': 'c-1' };
    const { proof, problems } = await service.prove(by);
    expect(problems).toMatchObject([{ code: 'CLOCK_SKEW', severity: 'warning' }]);
    expect(proof).toMatchObject({ ok: true, credential: { name: 'fleet' } });
    expect(proof.server).toBeUndefined();
    expect(await service.register(by, { public_key: spki(next) })).toMatchObject({ kind: 'done', value: { credential_id: 'c-2' } });
    expect(await service.whoami({ 'api.private_key': freshRsa().text })).toMatchObject({ kind: 'refused', corrected: true });
  });
});
