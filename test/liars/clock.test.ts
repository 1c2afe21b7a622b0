import { generateKeyPairSync } from 'node:crypto';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { AGENT, Bench, freePort, HUB, Running } from '../helpers/programs.ts';
import { HostUnderTest, host } from '../helpers/rotations.ts';

/*
 * Whole rotations, with an agent that reports meanwhile, at a hub whose clock is an hour off: nothing is refused for
 * that, neither a key nor a token, and the one who rotates is told.
 */

const faketime = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')[0];
if (!faketime) process.stdout.write('Skipped: the clock cannot be set here without libfaketime (Debian: faketime)\n');

const MORE = 'interval: 200ms\nlog: {format: json}\ncollectors: {inventory: false}\n';

describe.skipIf(!faketime).each([
  ['an hour behind', -3_600, 'ahead of'],
  ['an hour ahead', 3_600, 'behind'],
])('a hub that is %s', (_, seconds, direction) => {
  const bench = new Bench();
  beforeAll(async () => {
    process.env.SCOUT_HOST_KEY_FILE = join(bench.folder, 'host.key');
    bench.port = await freePort();
    const clock = join(bench.folder, 'clock');
    writeFileSync(clock, `${seconds > 0 ? '+' : ''}${seconds}`);
    const env = { ...process.env, LD_PRELOAD: faketime, FAKETIME_TIMESTAMP_FILE: clock, DONT_FAKE_MONOTONIC: '1' };
    const args = ['serve', '--listen', `127.0.0.1:${bench.port}`, '--data', bench.data, '--tls-self-signed'];
    bench.hub = new Running(HUB, args, env);
    await bench.hub.said('ready');
  });
  afterAll(async () => {
    await bench.close();
    delete process.env.SCOUT_HOST_KEY_FILE;
  });

  async function started(target: HostUnderTest): Promise<void> {
    const agent = new Running(AGENT, ['run', '--config', target.config]);
    onTestFinished(async () => void (await agent.end()));
    await agent.said('"started"');
    await expect.poll(async () => (await target.heartbeat()).kind).toBe('accepted');
  }

  async function rotates(target: HostUnderTest, ...args: string[]): Promise<string> {
    const done = await target.agent('rotate', ...args);
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout).toMatch(new RegExp(`3[56]\\d\\d(\\.\\d)? s ${direction}`));
    const to = target.keyring?.current?.fingerprint;
    expect(await target.heartbeat()).toMatchObject({ kind: 'accepted', fingerprint: to });
    return to ?? '';
  }

  it.each(['immediate', 'grace'] as const)('replaces an API key under %s', async (policy) => {
    const target = await host(bench, policy, policy, MORE);
    await started(target);
    const to = await rotates(target, '--self');
    expect(await target.configured()).toBe(to);
    const { refused, instances } = await target.show();
    expect(refused).toEqual({});
    for (const { gaps, duplicates } of instances) expect({ gaps, duplicates }).toEqual({ gaps: [], duplicates: 0 });
  });

  it('replaces the key pair of an organisation credential', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const file = join(bench.folder, 'pair.pub');
    writeFileSync(file, publicKey.export({ format: 'pem', type: 'spki' }));
    const { credential_id: id, fingerprint } = JSON.parse(
      await bench.hubCommand(['credential', 'add', 'fleet', '--public-key', file, '--role', 'admin', '--json']),
    );
    const config = bench.configure('pair', 'x', MORE);
    const secret = privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64url');
    writeFileSync(config, readFileSync(config, 'utf8').replace('key: x', `credential_id: ${id}\n  private_key: ${secret}`));
    const target = new HostUnderTest(bench, 'pair', config, join(bench.folder, 'pair-state'));
    await started(target);
    const to = await rotates(target, '--keypair', '--retire-now');
    expect(to).not.toBe(fingerprint);
    const credentials: { fingerprint: string; enabled: boolean }[] = JSON.parse(await bench.hubCommand(['credential', 'list', '--json']));
    expect(credentials.filter(({ enabled }) => enabled).map((one) => one.fingerprint)).toEqual([to]);
  });
});
