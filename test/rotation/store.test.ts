import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EMPTY_KEYRING, KEYRING } from '../../src/credentials/keyring.ts';
import { verifyAudit } from '../../src/rotation/audit.ts';
import { Book } from '../../src/rotation/book.ts';
import type { ConfiguredKey, Values } from '../../src/rotation/ports.ts';
import { AUDIT, decideSealing, FileKeyringStore, type Sealing } from '../../src/rotation/store.ts';
import { link } from '../../src/support/chain.ts';
import { ScoutError } from '../../src/support/errors.ts';
import { freshKey, keptKey } from '../credentials/keyrings.ts';

let folder: string;
let audit: string;
beforeEach(() => {
  folder = mkdtempSync(join(os.tmpdir(), 'scout-store-'));
  audit = join(folder, AUDIT);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const isRoot = process.getuid?.() === 0;
const code = (name: string) => expect.objectContaining({ code: name });

function store(sealing: Sealing = 'no', hostKey = 'host.key'): FileKeyringStore {
  return new FileKeyringStore(folder, {
    sealing,
    opening: { env: { SCOUT_HOST_KEY_FILE: join(folder, hostKey) }, uid: process.getuid?.() ?? 0, root: folder },
  });
}

/** A configuration that is not to be asked. */
const nothing = {} as ConfiguredKey;

/** The keyring's book, with as many changes as asked for. */
function written(changes: number): Book {
  const book = Book.open({ store: store(), now: () => 1, configured: nothing }, 'root');
  for (let i = 0; i < changes; i++) book.write({ current: keptKey() }, 'FOUND', `änderung ${i}`);
  return book;
}

const lines = () => readFileSync(audit, 'utf8').split('\n').slice(0, -1);
const verified = () => verifyAudit(audit, store().read().audit);

describe('the audit log', () => {
  it('follows the keyring line by line, for its owner alone', () => {
    const before = process.umask(0);
    try {
      written(3);
    } finally {
      process.umask(before);
    }
    expect(verified()).toEqual({ lines: 3, notes: [] });
    expect(statSync(audit).mode & 0o777).toBe(0o600);
    written(2);
    expect(verified()).toEqual({ lines: 5, notes: [] });
  });

  it('takes a line once, however often it is given', () => {
    const { keyring } = written(2);
    for (let i = 0; i < 3; i++) if (keyring.audit) store().append(keyring.audit);
    written(0);
    expect(verified()).toEqual({ lines: 2, notes: [] });
  });

  it('gets the line that a crash kept from it, wherever that cut it short', () => {
    written(3);
    const [one = '', two = '', three = ''] = lines();
    const before = Buffer.byteLength(`${one}\n${two}\n`);
    const all = before + Buffer.byteLength(three) + 1;
    const bytes = readFileSync(audit);
    for (let length = before; length <= all; length++) {
      writeFileSync(audit, bytes);
      truncateSync(audit, length);
      expect(verified().fault).toBeUndefined();
      written(0);
      // What is left of a line stays; one that only wanted its end has it now.
      const isTorn = length > before && length < all - 1;
      expect(verified()).toMatchObject({ lines: 3, notes: isTorn ? [expect.stringContaining('line 3')] : [] });
      expect(lines()).toHaveLength(isTorn ? 4 : 3);
    }
  });

  it('is mended after any number of crashes', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 1, maxLength: 5 }), (cuts) => {
        rmSync(audit, { force: true });
        rmSync(join(folder, KEYRING), { force: true });
        for (const cut of cuts) {
          const book = written(0);
          const before = existsSync(audit) ? statSync(audit).size : 0;
          book.write({}, 'FOUND', 'r');
          truncateSync(audit, before + (cut % (statSync(audit).size - before)));
          expect(verified().fault).toBeUndefined();
        }
        written(1);
        expect(verified()).toMatchObject({ lines: cuts.length + 1 });
        expect(verified().fault).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });

  it('is left with no gap where a line could not be written', () => {
    const book = written(2);
    renameSync(audit, `${audit}.away`);
    mkdirSync(audit);
    expect(() => book.write({}, 'STOPPED', 'third')).toThrow(code('FILE_UNWRITABLE'));
    expect(() => book.write({}, 'STOPPED', 'fourth')).toThrow(code('FILE_UNWRITABLE'));
    rmSync(audit, { recursive: true });
    renameSync(`${audit}.away`, audit);
    book.write({}, 'STOPPED', 'fifth');
    expect(verified()).toEqual({ lines: 4, notes: [] });
  });

  it('goes on where a damaged keyring was moved aside', () => {
    written(3);
    rmSync(join(folder, KEYRING));
    expect(store().read()).toEqual({ ...EMPTY_KEYRING, audit: JSON.parse(lines()[2] as string) });
    written(1);
    expect(verified()).toEqual({ lines: 4, notes: [] });
  });

  it('begins anew for a keyring whose log holds nothing that is a line', () => {
    writeFileSync(audit, '{"seq":"x","hash":"y"}\nnothing\n');
    expect(store().read()).toEqual(EMPTY_KEYRING);
    expect(written(1).keyring.audit).toMatchObject({ seq: 1 });
  });

  it('is not written through a link', () => {
    for (const target of [join(folder, 'none'), join(folder, 'other')]) {
      writeFileSync(join(folder, 'other'), 'untouched');
      symlinkSync(target, audit);
      expect(() => store().append(link({ ...LINE }, null))).toThrow(code('FILE_UNWRITABLE'));
      rmSync(audit);
      expect(existsSync(join(folder, 'none'))).toBe(false);
      expect(readFileSync(join(folder, 'other'), 'utf8')).toBe('untouched');
    }
  });

  it.skipIf(!isRoot)("is the folder's owner's when root writes it, and stays whose it is", () => {
    chownSync(folder, 12_345, 23_456);
    written(1);
    for (const path of [audit, join(folder, KEYRING)]) expect(statSync(path)).toMatchObject({ uid: 12_345, gid: 23_456 });
    chownSync(audit, 1, 1);
    written(1);
    expect(statSync(audit)).toMatchObject({ uid: 1, gid: 1 });
  });
});

const LINE = { time: '2026-01-01T00:00:00.000Z', actor: 'root', event: 'FOUND', rotation: null, from: null, to: null, reason: 'r' };

function giveMachineId(): void {
  mkdirSync(join(folder, 'etc'));
  writeFileSync(join(folder, 'etc/machine-id'), `${freshKey().slice(0, 32)}\n`);
}

describe('a kept key', () => {
  it('is sealed to its setting where asked for, and opens again', () => {
    const key = freshKey();
    giveMachineId();
    const kept = store('must').seal('api.key', key);
    expect(kept).toMatch(/^enc:v1:/);
    expect(kept).not.toContain(key);
    expect(store().open('api.key', kept)).toBe(key);
    expect(() => store().open('api.private_key', kept)).toThrow(code('KEYRING_SEALED'));
    expect(store().open('api.key', key)).toBe(key);
    expect(store().seal('api.key', key)).toBe(key);
  });

  it('is sealed wherever the agent is known to open it', () => {
    const none = { configuredIsSealed: false, sameOwner: false, agentOpensSealed: false };
    expect(decideSealing(none)).toBe('no');
    expect(decideSealing({ ...none, configuredIsSealed: true })).toBe('must');
    for (const name of ['sameOwner', 'agentOpensSealed']) expect(decideSealing({ ...none, [name]: true })).toBe('may');
  });

  it('stays plain where no host key can be made and none has to be', () => {
    const key = freshKey();
    writeFileSync(join(folder, 'a file'), '');
    expect(store('may', 'a file/host.key').seal('api.key', key)).toBe(key);
    expect(() => store('must', 'a file/host.key').seal('api.key', key)).toThrow(ScoutError);
  });

  it('that does not open here is read from the configuration where it stands there, and else named with a remedy that fits', () => {
    giveMachineId();
    const values = { 'api.key': freshKey() };
    const kept = Book.open({ store: store('must'), now: () => 1, configured: nothing }, 'root').keep(values, 'made');
    const elsewhere = (configured: Values) =>
      Book.open({ store: store('must', 'other.key'), now: () => 1, configured: { read: () => configured } as ConfiguredKey }, 'root');
    writeFileSync(join(folder, 'other.key'), randomBytes(32), { mode: 0o400 });
    expect(elsewhere(values).open(kept)).toEqual(values);
    expect(() => elsewhere({ 'api.key': freshKey() }).open(kept)).toThrow(code('KEYRING_SEALED'));
  });
});

it('says what it cannot read or write', () => {
  appendFileSync(join(folder, KEYRING), '{');
  expect(() => store().read()).toThrow(code('KEYRING_DAMAGED'));
  rmSync(folder, { recursive: true });
  expect(() => store().write(EMPTY_KEYRING)).toThrow(code('FILE_UNWRITABLE'));
  expect(() => store().append(link({ ...LINE }, null))).toThrow(code('FILE_UNWRITABLE'));
});
