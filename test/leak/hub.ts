import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { expect } from 'vitest';
import { ERRORS } from '../../src/support/errors.ts';
import { HUB } from '../helpers/programs.ts';
import type { Hunt } from './hunt.ts';

/* The hub: its commands, what people and agents send it rightly and wrongly, and what it keeps. */

interface Reply {
  status: number;
  body: string;
  cookies: string[];
}

/** One request to the hub, whatever it makes of it; its answer is searched like all else unless it shows a new key. */
async function send(hunt: Hunt, label: string, path: string, headers: Record<string, string>, body = ''): Promise<Reply> {
  const reply = await new Promise<Reply>((resolve, reject) => {
    const options = { method: body ? 'POST' : 'GET', headers, ca: readFileSync(hunt.path('hub/ca.pem')), agent: false as const };
    const sent = request(`${hunt.bench.endpoint}${path}`, options, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString(), cookies: response.headers['set-cookie'] ?? [] }),
      );
    });
    sent.once('error', reject).end(body);
  });
  hunt.note(label, `${reply.status} ${reply.body}`);
  return reply;
}

/** Keys in every part of a request in which people put them. */
export async function requests(hunt: Hunt): Promise<void> {
  const { needles } = hunt;
  const wrong = () => needles.key('sent to the hub');
  const json = { 'content-type': 'application/json' };
  const paths = ['/api/v1/whoami', '/api/v1/heartbeats', '/api/v1/servers', '/', '/metrics'];
  for (const path of paths) {
    await send(hunt, 'hub answers', path, { 'x-api-key': wrong() });
    await send(hunt, 'hub answers', path, { 'x-api-key': `${wrong()} ${wrong()}` });
    await send(hunt, 'hub answers', path, { authorization: `Bearer ${wrong()}` });
    await send(hunt, 'hub answers', path, { authorization: `Basic ${Buffer.from(`me:${wrong()}`).toString('base64')}` });
    await send(hunt, 'hub answers', path, { cookie: `__Host-scout=${wrong()}` });
    await send(hunt, 'hub answers', `${path}?key=${wrong()}`, {});
    await send(hunt, 'hub answers', `${path}/${wrong()}`, { accept: 'text/html' });
    await send(hunt, 'hub answers', path, { ...json, 'x-api-key': wrong() }, `{"key": "${wrong()}`);
  }
  const { pem } = needles.privateKey('sent to the hub');
  const legacy = pem
    .replaceAll(/-----.*-----|\n/g, '')
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
  await send(hunt, 'hub answers', '/api/v1/whoami', { authorization: `Bearer ${legacy}` });
  await send(hunt, 'hub answers', '/api/v1/whoami', { authorization: `Bearer ${legacy.slice(0, -40)}` });
  for (const path of ['/api/v1/keys/register', '/api/v1/keys/mint', '/api/v1/keys/retire'])
    await send(
      hunt,
      'hub answers',
      path,
      { ...json, 'x-api-key': wrong(), 'idempotency-key': wrong() },
      JSON.stringify({ sha256: wrong() }),
    );
}

/** People: their passwords and sessions. */
export async function people(hunt: Hunt): Promise<void> {
  const { needles } = hunt;
  const password = needles.password('ada', 'password');
  expect((await hunt.hubCommand('user add', ['user', 'add', 'ada', '--role', 'admin'], { input: password })).status).toBe(0);
  const typed = needles.password('typed twice', 'password');
  const other = ['user', 'add', 'eve', '--role', 'member', '--data', hunt.bench.data];
  await hunt.typed('user add, typed', HUB, other, ['Password: ', typed], ['Once more: ', `${typed}x`]);
  const form = (fields: Record<string, string>) => new URLSearchParams(fields).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded', origin: hunt.bench.endpoint, accept: 'text/html' };
  const guess = needles.password('guessed', 'password');
  await send(hunt, 'sign-in, wrong', '/sign-in', headers, form({ name: 'ada', password: guess }));
  await send(hunt, 'sign-in, swapped', '/sign-in', headers, form({ name: needles.password('as a name', 'password'), password: 'ada' }));
  const { cookies } = await send(hunt, 'sign-in', '/sign-in', headers, form({ name: 'ada', password }));
  const [cookie = ''] = (cookies[0] ?? '').split(';');
  expect(cookie).toMatch(/^__Host-scout=./);
  needles.add('cookie', 'ada', cookie.slice(cookie.indexOf('=') + 1));
  for (const path of ['/', '/servers/lives', '/api/v1/servers']) await send(hunt, 'pages', path, { cookie, accept: 'text/html' });
}

/** Every command about keys; where one shows a new key, that is the one place for it. */
export async function keyCommands(hunt: Hunt): Promise<void> {
  const { needles } = hunt;
  const shown = async (...args: string[]) => {
    const { stdout } = await hunt.hubCommand('hub shows a new key', [...args, '--json']);
    return needles.add('key of the hub', args.join(' '), (JSON.parse(stdout) as { key: string }).key);
  };
  await shown('server', 'add', 'many', '--policy', 'multi');
  const asking = await shown('key', 'rotate', 'many');
  await shown('key', 'add', 'many', '--name', 'spare');
  for (const [verb, ...args] of [
    ['list', 'many'],
    ['disable', 'many', 'spare'],
    ['enable', 'many', 'spare'],
    ['rename', 'many', 'spare', 'other'],
    ['delete', 'many', 'other'],
    ['retire', 'many'],
    ['list', needles.key('argument')],
  ])
    await hunt.hubCommand(`key ${verb}`, ['key', verb as string, ...args]);
  for (const args of [
    ['server', 'list'],
    ['server', 'show', 'many'],
    ['server', 'list', '--json'],
    ['server', 'show', 'many', '--json'],
    ['user', 'list'],
    ['audit', 'list'],
    ['audit', 'verify'],
  ])
    await hunt.hubCommand(args.join(' '), args);

  // Minted over the wire: the answer shows it, and its replay; what is kept in between is sealed.
  const headers = { 'content-type': 'application/json', 'x-api-key': asking, 'idempotency-key': randomBytes(16).toString('hex') };
  for (let turn = 0; turn < 2; turn += 1) {
    const { body } = await send(hunt, 'hub shows a new key', '/api/v1/keys/mint', headers, '{}');
    needles.add('key of the hub', 'minted', (JSON.parse(body) as { key: string }).key);
  }

  // The private half where the public one belongs.
  const { pem, publicPem } = needles.privateKey('given for the public one');
  const file = hunt.path('conf-pair.pem');
  for (const text of [pem, `${pem}${publicPem}`, pem.replaceAll(/-----.*-----|\n/g, ''), pem.slice(0, 400)]) {
    writeFileSync(file, text, { mode: 0o600 });
    const done = await hunt.hubCommand('credential add, a private key', [
      'credential',
      'add',
      'ci',
      '--public-key',
      file,
      '--role',
      'member',
    ]);
    expect(done.stderr).toMatch(/^error HUB_PUBLIC_KEY: /);
    expect(done.status).toBe(ERRORS.HUB_PUBLIC_KEY.exit);
  }
  writeFileSync(file, pem, { mode: 0o600 });
  await hunt.hubCommand('server remove', ['server', 'remove', 'many']);
}

/** The hub dies without warning, and comes again. */
export async function hubDies(hunt: Hunt): Promise<void> {
  await hunt.hub?.end('SIGKILL');
  await hunt.startHub();
}
