import { readFileSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERRORS } from '../../src/support/errors.ts';
import { authority, serve } from '../delivery/tls.ts';
import { LIARS } from '../helpers/liars.ts';
import { AGENT, Bench, type Done, run } from '../helpers/programs.ts';
import { type HostUnderTest, host, type Policy } from '../helpers/rotations.ts';
import { Relay } from './relay.ts';

/*
 * `scout-agent rotate` as it is typed, against the hub with a liar before it: exit status, message, and a configuration that is
 * as it was or holds a key that the hub takes. Once the liar is gone, the same command ends well.
 */

const bench = new Bench();
const ca = authority();
beforeAll(async () => {
  process.env.SCOUT_HOST_KEY_FILE = join(bench.folder, 'host.key');
  await bench.startHub();
});
afterAll(async () => {
  await bench.close();
  delete process.env.SCOUT_HOST_KEY_FILE;
});

interface Case {
  policy: Policy;
  args: string[];
  /** What is lied about: everything, or one route. */
  about: RegExp;
}

const CASES: Case[] = [
  { policy: 'immediate', args: ['--self'], about: /./ },
  { policy: 'immediate', args: ['--self'], about: /\/register$/ },
  { policy: 'immediate', args: ['--mint', '--accept-gap'], about: /\/mint$/ },
  { policy: 'grace', args: ['--mint'], about: /\/mint$/ },
  { policy: 'multi', args: ['--new-key-stdin'], about: /\/whoami$/ },
  { policy: 'multi', args: ['--self', '--retire-now'], about: /\/retire$/ },
];

/** What a liar is told by: as what was seen, or that what it promised is not so. */
const CODES = /^(SERVICE_UNREACHABLE|SERVICE_UNEXPECTED|KEY_FORBIDDEN|KEY_CONTROL_ACCEPTED|ROTATE_UNDECIDED|ROTATE_NEW_REFUSED)$/;

/** A host whose service is the liar; `lying` switches it. */
class Lied {
  readonly target: HostUnderTest;
  readonly relay: Relay;
  lying = true;

  constructor(target: HostUnderTest, relay: Relay) {
    this.target = target;
    this.relay = relay;
  }

  get text(): string {
    return readFileSync(this.target.config, 'utf8');
  }

  get key(): string {
    return /^ {2}key: "?([0-9a-f]{64})/m.exec(this.text)?.[1] ?? 'none';
  }

  /** A key made at the hub by hand, for the commands that take one. */
  async fresh(args: string[]): Promise<string> {
    if (!args.includes('--new-key-stdin')) return '';
    return JSON.parse(await bench.hubCommand(['key', 'rotate', this.target.name, '--json'])).key;
  }
}

async function lied(name: string, policy: Policy, listen: (relay: Relay) => RequestListener): Promise<Lied> {
  const relay = new Relay(bench, policy);
  const target = await host(bench, name, policy);
  const found = new Lied(target, relay);
  const lie = listen(relay);
  const { endpoint } = await serve(ca.issue(), (request, response) =>
    found.lying ? lie(request, response) : void relay.handle(request, response),
  );
  const text = found.text.replace(bench.endpoint, endpoint).replace(/ca_file: .*/, `ca_file: ${ca.file}`);
  writeFileSync(target.config, text);
  return found;
}

/** The code of the error that a command ended with, whose status it is; none of these keys stands in what it said. */
function judged({ status, stdout, stderr }: Done, keys: string[]): string {
  for (const key of keys.filter((one) => one !== '')) expect(stdout + stderr).not.toContain(key.slice(0, 20));
  const code = /^error ([A-Z_]+): /m.exec(stderr)?.[1] ?? 'done';
  expect([stderr, status]).toEqual([stderr, code === 'done' ? 0 : ERRORS[code as keyof typeof ERRORS].exit]);
  return code;
}

describe.each(LIARS.map((liar, index) => ({ ...liar, index })))('rotate through $name', ({ name: liar, listen, told, index }) => {
  it.each(CASES.map((one, nth) => ({ ...one, nth })))('$policy $args, about $about', async ({ policy, args, about, nth }) => {
    const at = await lied(`liar-${index}-${nth}`, policy, (relay) => listen(relay, about));
    const [before, old, given] = [at.text, at.key, await at.fresh(args)];
    const rotate = () => run(AGENT, ['rotate', ...args, '--config', at.target.config], { input: given });

    const first = await rotate();
    const code = judged(first, [old, given, at.key]);
    // What says yes in the right shape is found out by what comes of it; only the word that a key was retired may stand.
    const believed = liar === 'yes to everything' && about.source !== '.' && !about.test('/whoami');
    if (!believed) expect(first.stderr).toMatch(told);
    if (code === 'done') expect([believed, args]).toEqual([true, ['--self', '--retire-now']]);
    else expect(code).toMatch(believed ? /^ROTATE_NEW_REFUSED$/ : CODES);
    if (at.text !== before) expect(await at.relay.accepts(at.key), first.stderr).toBe(true);
    const isUntouched = !['COMMITTED', 'ADOPTED', 'RETIRING'].includes(at.target.keyring?.rotation?.state ?? 'none') && code !== 'done';
    expect(at.text === before).toBe(isUntouched);

    at.lying = false;
    expect(judged(await rotate(), [old, given, at.key])).toBe('done');
    expect(await at.relay.accepts(at.key)).toBe(true);
    expect(at.key).not.toBe(old);
    // Nothing that the hub takes is unknown here.
    for (const fingerprint of await at.target.alive()) expect(at.target.kept).toContain(fingerprint);
    await at.target.auditHolds();
  });
});
