import { generateKeyPairSync } from 'node:crypto';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { statusBecomes, statusOf } from '../helpers/agent-life.ts';
import { AGENT, Bench, Running } from '../helpers/programs.ts';

/*
 * Tokens of a host whose clock is wrong, and is set while it reports, at a hub that keeps time. The first token of a
 * process that has not heard the hub yet is made by its own clock, and may be refused; the heartbeat never is.
 */

const faketime = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')[0];
if (!faketime) process.stdout.write('Skipped: the clock cannot be set here without libfaketime (Debian: faketime)\n');

const HOUR = 3_600;
const text = (seconds: number) => `${seconds < 0 ? '' : '+'}${seconds}`;

describe.skipIf(!faketime)('an agent with a credential of the organisation', () => {
  const bench = new Bench();
  beforeAll(() => bench.startHub());
  afterAll(() => bench.close());

  it.each([
    ['an hour behind, then right, then an hour ahead', [-HOUR, 0, HOUR]],
    ['an hour ahead, then right, then an hour behind', [HOUR, 0, -HOUR]],
  ])('whose clock is %s', { timeout: 90_000 }, async (_, [first = 0, ...later]) => {
    const name = `clock-${first}`;
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const file = join(bench.folder, `${name}.pub`);
    writeFileSync(file, publicKey.export({ format: 'pem', type: 'spki' }));
    const added = await bench.hubCommand(['credential', 'add', name, '--public-key', file, '--role', 'member', '--json']);
    const { credential_id: id, fingerprint } = JSON.parse(added) as { credential_id: string; fingerprint: string };
    const config = bench.configure(name, 'x', `host_name: ${name}\ninterval: 50ms\ncollectors: {inventory: false}\nlog: {format: json}\n`);
    const secret = privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64url');
    writeFileSync(config, readFileSync(config, 'utf8').replace('key: x', `credential_id: ${id}\n  private_key: ${secret}`));

    const clock = join(bench.folder, name);
    writeFileSync(clock, text(first));
    const fake = { LD_PRELOAD: faketime, FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: '1', DONT_FAKE_MONOTONIC: '1' };
    const agent = new Running(AGENT, ['run', '--config', config], { ...process.env, ...fake });
    onTestFinished(async () => void (await agent.end('SIGKILL')));
    await agent.said('"started"');
    const accepts = async (least: number) =>
      statusBecomes(config, ({ last_accepted: last, destinations }) => (last?.sequence ?? 0) > least && destinations[0]?.problem === null);
    let status = await accepts(5);
    expect(status.key).toMatchObject({ fingerprint, from: 'configuration', problem: null });
    for (const seconds of later) {
      writeFileSync(clock, text(seconds));
      const jumps = () => agent.output.split('the wall clock was set').length - 1;
      await expect.poll(jumps).toBe(1 + later.indexOf(seconds));
      status = await accepts((status.last_accepted?.sequence ?? 0) + 10);
    }
    // Nothing that an operator would see as a refusal.
    expect((await statusOf(config)).destinations[0]?.failures).toBe(0);
    expect(agent.output).not.toContain('cannot be delivered');
    expect(await agent.end()).toBe(0);
    const { refused, instances } = await bench.show(name);
    expect(Object.keys(refused)).toEqual([]);
    expect(instances).toMatchObject([{ first_sequence: 1, gaps: [], duplicates: 0 }]);
  });
});
