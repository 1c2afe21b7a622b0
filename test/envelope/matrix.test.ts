import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SEALED_FIELDS, unseal } from '../../src/secrets/envelope.ts';
import { readHostKey } from '../../src/secrets/host-key.ts';
import { sealingMachine } from '../../src/secrets/machine.ts';
import { type Opening, openSecret, sealedField } from '../../src/secrets/open.ts';
import { sealHere } from '../../src/secrets/seal.ts';

/*
 * {same, other host.key} × {same, other machine id} × {right, wrong field} × {untouched, another version, each bit flipped,
 * cut at each place}: real host keys and machine ids on disk, and the way of the configuration. The code for each is worked
 * out here from the promise alone, and nothing opens but the untouched token where it was made and for what it was made.
 */

/** Where a token is tried, against where it was made. */
interface Place {
  name: string;
  sameKey: boolean;
  sameMachine: boolean;
}

const PLACES: Place[] = [true, false].flatMap((sameKey) =>
  [true, false].map((sameMachine) => ({
    name: `${sameKey ? 'the same' : 'another'} host.key, ${sameMachine ? 'the same' : 'another'} machine id`,
    sameKey,
    sameMachine,
  })),
);
const SECRET = 'a canary of some length';

let folder: string;
/** By host key and machine id: the same or another. */
const openings = new Map<Place, Opening>();

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'scout-envelope-'));
  for (const same of [true, false]) {
    mkdirSync(path.join(folder, String(same), 'etc'), { recursive: true });
    writeFileSync(path.join(folder, String(same), 'etc/machine-id'), `${randomBytes(16).toString('hex')}\n`);
    writeFileSync(path.join(folder, `${same}.key`), randomBytes(32), { mode: 0o400 });
  }
  for (const place of PLACES) {
    const env = { SCOUT_HOST_KEY_FILE: path.join(folder, `${place.sameKey}.key`) };
    openings.set(place, { env, uid: 0, root: path.join(folder, String(place.sameMachine)) });
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const openingAt = (place: Place) => openings.get(place) as Opening;

function sealed(field: string): string {
  const made = sealHere(field, SECRET, openingAt(PLACES[0] as Place));
  if ('fault' in made) throw new Error(made.fault.code);
  return made.token;
}

/** A setting of the configuration for each field, and one for which another's token is wrong. */
const FIELDS = SEALED_FIELDS.map((field, index) => ({
  right: field.replace('[]', '[3]'),
  wrong: (SEALED_FIELDS[(index + 1) % SEALED_FIELDS.length] as string).replace('[]', '[0]'),
}));

/** What a token must be answered with, by its text and where it is tried; `opened` when by its value. */
function expected({ sameKey, sameMachine }: Place, right: boolean, original: string, tried: string): string {
  const parts = tried.split(':');
  const [prefix, version = '', kdf = '', keyId = '', hostId = '', body = ''] = parts;
  const made = original.split(':');
  // So much cut off that nothing tells that it was sealed: a text that stands for itself.
  if (!tried.startsWith('enc:') && !tried.includes(`:${made.slice(2, 5).join(':')}:`)) return 'plain';
  if (prefix !== 'enc' || !/^v\d+$/.test(version)) return 'SEALED_MALFORMED';
  if (version !== 'v1') return 'SEALED_VERSION';
  if (parts.length !== 6 || !/^[a-z0-9-]+$/.test(kdf)) return 'SEALED_MALFORMED';
  if (kdf !== 'hkdf') return 'SEALED_VERSION';
  if (!/^[0-9a-f]{8}$/.test(keyId) || !/^[0-9a-f]{8}$/.test(hostId)) return 'SEALED_MALFORMED';
  const bytes = Buffer.from(body, 'base64url');
  if (!/^[\w-]*$/.test(body) || bytes.toString('base64url') !== body || bytes.length < 44) return 'SEALED_MALFORMED';
  if (keyId !== made[3] || !sameKey) return 'SEALED_ELSEWHERE';
  if (hostId !== made[4] || !sameMachine) return 'SEALED_MACHINE';
  if (body !== made[5]) return 'SEALED_TAMPERED';
  return right ? 'opened' : 'SEALED_FIELD';
}

/** Opens a token as the configuration does, and by the envelope alone; both must say the same. */
function outcome(place: Place, field: string, text: string): string {
  const opening = openingAt(place);
  const found = openSecret({ label: field, field, text }, opening);
  if (found.ok) return found.value === SECRET ? 'opened' : found.value === text ? 'plain' : 'opened to something else';
  const said = JSON.stringify(found.problem);
  if (said.includes(SECRET) || (text.length >= 24 && said.includes(text.slice(-24)))) return 'shown';
  return found.problem.code;
}

/** Tries each of the texts at a place for the right field and for a wrong one; what was not as it had to be. */
function amiss(place: Place, variants: (token: string) => Iterable<[string, string]>): { wrong: string[]; tried: number; opened: number } {
  const wrong: string[] = [];
  let [tried, opened] = [0, 0];
  for (const { right, wrong: other } of FIELDS) {
    const token = sealed(right);
    for (const field of [right, other])
      for (const [what, text] of variants(token)) {
        const want = expected(place, field === right, token, text);
        const found = outcome(place, field, text);
        tried++;
        if (found === 'opened') opened++;
        if (found !== want) wrong.push(`${right} as ${field}, ${what}: ${found}, not ${want}`);
      }
  }
  return { wrong, tried, opened };
}

describe.each(PLACES)('with $name', (place) => {
  it('the untouched token opens where it was made and for what it was made, and has its exact code everywhere else', () => {
    const all = place.sameKey && place.sameMachine;
    const found = amiss(place, (token) => [['untouched', token]]);
    expect(found).toEqual({ wrong: [], tried: 2 * FIELDS.length, opened: all ? FIELDS.length : 0 });
  });

  it('each field asked for each other', () => {
    for (const made of SEALED_FIELDS) {
      const token = sealed(made);
      for (const asked of SEALED_FIELDS)
        expect(`${made} as ${asked}: ${outcome(place, asked, token)}`).toBe(
          `${made} as ${asked}: ${expected(place, made === asked, token, token)}`,
        );
    }
  });

  it('another version is told as such, whatever follows', () => {
    const versions = ['v0', 'v2', 'v3', 'v10', 'v11', 'v999999', 'V1', 'v', 'v1.0', 'v-1'];
    const kdfs = ['argon2id', 'scrypt', 'hkdf2', 'none', 'HKDF', ''];
    const found = amiss(place, (token) => [
      ...versions.map((one): [string, string] => [one, token.replace(':v1:', `:${one}:`)]),
      ...versions.slice(0, 6).map((one): [string, string] => [`${one} alone`, `enc:${one}:of a later time`]),
      ...kdfs.map((one): [string, string] => [`v1 with ${one}`, token.replace(':hkdf:', `:${one}:`)]),
    ]);
    expect(found).toMatchObject({ wrong: [], opened: 0 });
  });

  it('each bit of its text flipped', () => {
    const found = amiss(place, function* (token) {
      for (let bit = 0; bit < token.length * 8; bit++) {
        const bytes = Buffer.from(token, 'latin1');
        bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
        yield [`bit ${bit}`, bytes.toString('latin1')];
      }
    });
    expect(found).toMatchObject({ wrong: [], opened: 0 });
    expect(found.tried).toBeGreaterThan(9_000);
  });

  it('each bit of its salt, nonce, ciphertext and tag flipped', () => {
    const found = amiss(place, function* (token) {
      const head = token.slice(0, token.lastIndexOf(':') + 1);
      const body = Buffer.from(token.slice(head.length), 'base64url');
      for (let bit = 0; bit < body.length * 8; bit++) {
        const bytes = Buffer.from(body);
        bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
        yield [`bit ${bit}`, head + bytes.toString('base64url')];
      }
    });
    expect(found).toMatchObject({ wrong: [], opened: 0 });
  });

  it('cut at each place, from behind and from before', () => {
    const found = amiss(place, function* (token) {
      for (let length = 1; length < token.length; length++) {
        yield [`its first ${length}`, token.slice(0, length)];
        yield [`its last ${length}`, token.slice(-length)];
      }
    });
    expect(found).toMatchObject({ wrong: [], opened: 0 });
  });

  it('the ids of this host written into a token of another do not make it open', () => {
    const here = openingAt(place);
    const file = here.env.SCOUT_HOST_KEY_FILE as string;
    const binding = { hostKey: readHostKey(file, {}), machine: sealingMachine(here.root) };
    for (const field of SEALED_FIELDS) {
      const own = sealHere(field, 'another', here);
      if ('fault' in own) throw new Error(own.fault.code);
      const token = sealed(field).split(':');
      const forged = [...own.token.split(':').slice(0, 5), token[5]].join(':');
      const untouched = forged === token.join(':');
      expect(unseal(binding, sealedField(field), forged)).toMatchObject(untouched ? { ok: true } : { ok: false, code: 'SEALED_TAMPERED' });
    }
  });
});
