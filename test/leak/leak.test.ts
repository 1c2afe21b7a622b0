import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { maintenance } from './bundle.ts';
import { mistakes, readers, sealing } from './check.ts';
import { hubDies, keyCommands, people, requests } from './hub.ts';
import { type Allowed, Hunt } from './hunt.ts';
import { pairs, refusals, rotations } from './rotate.ts';
import { addServer, echoed, lives, uncaught } from './run.ts';

/*
 * The second promise: no key is ever shown. Secrets of every kind are sent through every command, fault and crash; then all
 * that was said, written or could be seen from outside is searched for any part of one, in any spelling.
 */

let hunt: Hunt;
beforeAll(async () => {
  hunt = new Hunt();
  await hunt.start();
});
afterAll(() => hunt.close());

/** Where a secret must stand, and why. Each line is itself a test: what is not found there shows that the search is blind. */
const ALLOWED: Allowed[] = [
  { place: /^conf-/, kinds: ['api key', 'proxy password', 'TLS passphrase', 'private key'], reason: 'the operator keeps it there' },
  { place: /^environment: /, kinds: ['api key'], label: /^variable$/, reason: 'the operator put it there, and is warned' },
  { place: /^arguments: /, kinds: ['api key'], label: /^argument$/, reason: 'the operator typed it there' },
  {
    place: /^conf-/,
    kinds: ['key of the hub'],
    reason: 'the operator keeps it there',
  },
  { place: /^output: hub shows a new key$/, kinds: ['key of the hub'], reason: 'shown once, to whoever made it' },
  {
    place: /^cwd\/core/,
    kinds: ['key of the hub'],
    reason: 'memory of an agent that runs with core dumps allowed; the unit has LimitCORE=0',
  },
  { place: /^output: sign-in, swapped$/, kinds: ['password'], reason: 'the form goes back, to whoever typed it, with the name filled in' },
  { place: /^keys\/(host|other)\.key$/, kinds: ['host key'], reason: 'its own file, which only its owner can read' },
];

it('goes through the check of every mistake', { timeout: 600_000 }, async () => {
  expect(await mistakes(hunt)).toBeGreaterThan(30);
});

it('goes through what reads a configuration', async () => {
  const statuses = await readers(hunt, await addServer(hunt, 'readers'));
  process.stdout.write(`${JSON.stringify(statuses)}\n`);
  const good = Object.entries(statuses).filter(([label]) => /, good$|with right passphrase$/.test(label));
  expect(good.filter(([, status]) => status !== 0)).toEqual([]);
  expect(good.length).toBe(6);
});

it('goes through sealing', async () => {
  const statuses = await sealing(hunt);
  process.stdout.write(`${JSON.stringify(statuses)}\n`);
  if (process.getuid?.() === 0)
    expect(statuses).toMatchObject({ 'check, another machine': 78, 'rewrap, another machine': 0, 'check, rewrapped': 0 });
  hunt.needles.add('host key', 'this host', readFileSync(hunt.path('keys', 'host.key')));
});

it('goes through the lives and deaths of a daemon', () => lives(hunt));

it('goes through faults that nobody catches', () => uncaught(hunt));

it('goes through services that repeat what they are sent', { timeout: 600_000 }, async () => {
  expect(await echoed(hunt)).toBeGreaterThan(50);
});

it('goes through rotations', { timeout: 600_000 }, async () => {
  const statuses = await rotations(hunt);
  process.stdout.write(`${JSON.stringify(statuses)}\n`);
  const failed = Object.entries(statuses).filter(([, status]) => status !== 0);
  expect(failed.map(([label]) => label)).toEqual([
    'rotate --keypair',
    ...['', ' --json', ' --dry-run'].map((more) => `rotate --new-key-stdin${more}`),
  ]);
});

it('goes through rotations of a key pair', async () => {
  const statuses = await pairs(hunt);
  expect(Object.entries(statuses).filter(([, status]) => status !== 0)).toEqual([]);
});

it('goes through rotations that are refused', { timeout: 600_000 }, () => refusals(hunt));

it('goes through the hub', async () => {
  await requests(hunt);
  await people(hunt);
  await hubDies(hunt);
  await keyCommands(hunt);
});

it('goes through doctor and bundle', { timeout: 600_000 }, async () => {
  expect(await maintenance(hunt)).toBeGreaterThan(30);
});

it('finds secrets where they must be, and nowhere else', async () => {
  await hunt.hub?.end();
  const findings = hunt.findings();
  const allows = ({ place, kinds, label }: Allowed, one: (typeof findings)[number]) =>
    place.test(one.place) && kinds.includes(one.kind) && (label?.test(one.label) ?? true);
  const leaks = findings.filter((one) => !ALLOWED.some((allowed) => allows(allowed, one)));
  process.stdout.write(`${hunt.needles.count} secrets, ${hunt.commands.length} command lines seen, ${findings.length} sightings\n`);
  expect(leaks).toEqual([]);
  for (const allowed of ALLOWED)
    expect(
      findings.some((one) => allows(allowed, one)),
      allowed.reason,
    ).toBe(true);
  // The checker is a short-lived child: that it was seen shows that the watch is quick enough.
  expect(hunt.commands.filter((command) => command.includes('resolve-config')).length).toBeGreaterThan(5);
});
