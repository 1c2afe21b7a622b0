import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { globSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_ORGANISATION } from '../../src/hub/store/records.ts';
import { SqliteStore } from '../../src/hub/store/sqlite-store.ts';
import { Bench, freePort, HUB, Running } from '../helpers/programs.ts';
import { Fleet } from './fleet.ts';

const faketime = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')[0];
if (!faketime) process.stdout.write('Skipped: the clock cannot be set here without libfaketime (Debian: faketime)\n');

const CLIENTS = 4;
const HOUR = 3_600;
/** Longer than from one pruning to the next (serve.ts). */
const PRUNED_MS = 16_000;

describe.skipIf(!faketime)("the hub's clock", () => {
  const bench = new Bench();
  const clock = join(bench.folder, 'clock');
  const set = (seconds: number) => writeFileSync(clock, `${seconds < 0 ? '' : '+'}${seconds}`);
  beforeAll(async () => {
    set(0);
    const env = { LD_PRELOAD: faketime, FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: '1', DONT_FAKE_MONOTONIC: '1' };
    bench.port = await freePort();
    const args = ['serve', '--listen', `127.0.0.1:${bench.port}`, '--data', bench.data, '--tls-self-signed'];
    bench.hub = new Running(HUB, args, { ...process.env, ...env });
    await bench.hub.said('ready');
  });
  afterAll(() => bench.close());

  it('may jump by hours, back and forth, and by more than the window: no heartbeat is lost', async () => {
    const fleet = new Fleet(bench.port, bench.ca);
    const store = SqliteStore.open(bench.data);
    await fleet.register(store, CLIENTS);
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const file = join(bench.folder, 'ci.pub');
    writeFileSync(file, publicKey.export({ format: 'pem', type: 'spki' }));
    const id = (await bench.hubCommand(['credential', 'add', 'ci', '--public-key', file, '--role', 'member'])).trim();
    const kid = (await store.credentials(DEFAULT_ORGANISATION)).find((one) => one.id === id)?.kid as string;

    fleet.start(50);
    await fleet.more(CLIENTS);
    for (const hours of [5, -5, 1, -20]) {
      set(hours * HOUR);
      await fleet.more(3 * CLIENTS);
    }
    expect(fleet.problems).toEqual([]);
    // Beyond the window of 24 h: what came in a moment ago looks old.
    set(30 * HOUR);
    expect(await fleet.send('', Buffer.from(''), { authorization: `Bearer ${token(privateKey, kid, id)}` })).toBe(401);
    await delay(PRUNED_MS);
    set(0);
    await fleet.more(3 * CLIENTS);
    await fleet.stop();
    expect(fleet.problems).toMatchObject([{ status: 401, type: 'application/problem+json', code: 'key_refused' }]);
    expect(fleet.problems[0]?.detail).toMatch(/clock.*behind|has ended|expired/);
    expect(await bench.hub?.end()).toBe(0);
    expect(bench.hub?.output).not.toMatch(/"level":"?(error|50)/);
    await fleet.verify(store);
    const { counted, rows } = await fleet.kept(store);
    expect(rows).toBe(counted);
    await store.close();
  });
});

/** A token of an organisation's credential, by this machine's clock. */
function token(key: KeyObject, kid: string, id: string): string {
  const now = Math.floor(Date.now() / 1_000);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = `${part({ alg: 'RS256', kid })}.${part({ iss: 'scout', sub: id, iat: now, exp: now + 300 })}`;
  return `${body}.${sign('sha256', Buffer.from(body), key).toString('base64url')}`;
}
