import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import client from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeAuthority } from '../../../src/hub/tls/certificates.ts';
import { ready, scoutHub, start } from '../../cli/hub/helpers.ts';
import { Postgres } from '../../helpers/postgres.ts';
import { heartbeat, packed } from '../helpers.ts';

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/** `scout-hub serve` in a process of its own, on the database that its environment names. */
class Hub {
  readonly folder = mkdtempSync(join(tmpdir(), 'scout-hub-'));
  readonly child = start(['serve', '--listen', '127.0.0.1:0', '--data', this.folder, '--tls-self-signed'], {
    ...environment,
    // Soon enough for the test in which the database hangs.
    SCOUT_HUB_DATABASE: `${environment.SCOUT_HUB_DATABASE}&timeout=4`,
  });
  origin = '';
  output = '';

  async ready(): Promise<this> {
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on('data', (chunk) => (this.output += chunk));
    this.origin = /https:\/\/[\d.:]+/.exec(await ready(this.child))?.[0] as string;
    return this;
  }

  ask(path: string, key?: string, body?: Uint8Array): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = { ...(key && { 'x-api-key': key }), 'content-type': 'application/x-ndjson', 'content-encoding': 'zstd' };
      const options = { ca: readFileSync(join(this.folder, 'ca.pem')), method: body ? 'POST' : 'GET', agent: false, headers };
      const sent = request(this.origin + path, options, (answer) => {
        let text = '';
        answer.on('data', (chunk) => (text += chunk));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  async end(): Promise<number | null> {
    const ended = new Promise<number | null>((resolve) => this.child.once('close', resolve));
    if (this.child.exitCode === null) this.child.kill('SIGTERM');
    rmSync(this.folder, { recursive: true, force: true });
    return this.child.exitCode ?? ended;
  }
}

const started: Hub[] = [];
let postgres: Postgres;
let environment: NodeJS.ProcessEnv;
let password: string;
let hubs: [Hub, Hub];
beforeAll(async () => {
  postgres = await Postgres.start();
  // Over TLS, as beyond a test's own machine.
  const authority = postgres.serveTls();
  await postgres.stop();
  await postgres.start();
  const url = `${postgres.url()}&sslmode=verify-full&sslrootcert=${authority}`;
  password = new URL(url).password;
  environment = { ...process.env, SCOUT_HUB_DATABASE: url };
  started.push(new Hub(), new Hub());
  hubs = (await Promise.all(started.map((hub) => hub.ready()))) as [Hub, Hub];
});
afterAll(async () => {
  // Some may not have come up.
  await Promise.all(started.map((hub) => hub.end()));
  await postgres?.remove();
});

const json = async (...args: string[]) => {
  const { status, stdout, stderr } = await scoutHub([...args, '--json'], '', environment);
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
};

describe('two hubs on one PostgreSQL database', () => {
  it('take the same heartbeats at once and count them once', async () => {
    const { key } = await json('server', 'add', 'web-1');
    const instance = randomUUID();
    const beats = packed(Array.from({ length: 20 }, (_, index) => heartbeat({ instance, sequence: index + 1 })));
    const answers = await Promise.all([0, 1, 0, 1].map((which) => hubs[which as 0 | 1].ask('/api/v1/heartbeats', key, beats)));
    const counts = answers.map((answer) => JSON.parse(answer.text) as { accepted: number; duplicates: number });
    expect(counts.map((count) => count.accepted).toSorted((a, b) => a - b)).toEqual([0, 0, 0, 20]);
    const { instances } = await json('server', 'show', 'web-1');
    expect(instances).toMatchObject([{ accepted: 20, duplicates: 60, gaps: [] }]);
  });

  it('refuse at their next request a key that was disabled, and one that was made no more valid by the other', async () => {
    const { key, fingerprint } = await json('server', 'add', 'web-2', '--policy', 'multi');
    for (const hub of hubs) expect((await hub.ask('/api/v1/whoami', key)).status).toBe(200);
    await json('key', 'disable', 'web-2', fingerprint, '--force');
    for (const hub of hubs) expect((await hub.ask('/api/v1/whoami', key)).status).not.toBe(200);
    await json('key', 'enable', 'web-2', fingerprint);
    for (const hub of hubs) expect((await hub.ask('/api/v1/whoami', key)).status).toBe(200);
    await json('server', 'remove', 'web-2');
    for (const hub of hubs) expect((await hub.ask('/api/v1/whoami', key)).status).toBe(401);
  });

  it('are one service to their agents', async () => {
    const { key } = await json('server', 'add', 'web-3');
    const [one, two] = await Promise.all(hubs.map(async (hub) => JSON.parse((await hub.ask('/api/v1/whoami', key)).text)));
    expect(one.service).toBe(two.service);
    expect(one.service).toBeDefined();
  });

  it('put requests off while the database is gone, lose nothing, and go on by themselves when it is back', async () => {
    const { key } = await json('server', 'add', 'web-4');
    const instance = randomUUID();
    const beats = (from: number) => packed(Array.from({ length: 5 }, (_, index) => heartbeat({ instance, sequence: from + index })));
    expect((await hubs[0].ask('/api/v1/heartbeats', key, beats(1))).status).toBe(200);
    await postgres.kill();
    for (const hub of hubs) {
      for (const answer of [await hub.ask('/api/v1/heartbeats', key, beats(6)), await hub.ask('/api/v1/whoami', key)]) {
        expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': expect.stringMatching(/^\d+$/) } });
        expect(JSON.parse(answer.text)).toMatchObject({ code: 'not_ready', status: 503 });
      }
      expect((await hub.ask('/readyz')).status).toBe(503);
      expect((await hub.ask('/healthz')).status).toBe(200);
    }
    expect(await scoutHub(['server', 'list'], '', environment)).toMatchObject({
      status: 69,
      stderr: expect.stringContaining('HUB_DATABASE'),
    });
    await postgres.start();
    for (const hub of hubs) {
      while ((await hub.ask('/readyz')).status !== 200);
      expect((await hub.ask('/api/v1/heartbeats', key, beats(6))).status).toBe(200);
    }
    const { instances } = await json('server', 'show', 'web-4');
    expect(instances).toMatchObject([{ accepted: 10, last_sequence: 10, gaps: [] }]);
    for (const hub of hubs) {
      expect(hub.output).toContain('the database does not answer');
      expect(hub.output).toContain('the database is back');
      expect(hub.output).not.toContain('unexpected failure');
    }
  });

  it('speak to it over TLS, and to nobody who cannot prove to be it', async () => {
    const sessions = `SELECT bool_and(ssl) AS all FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'scout-hub'`;
    const sql = client(postgres.url().replace(/\?.*/, ''), { max: 1 });
    expect(await sql.unsafe(sessions)).toEqual([{ all: true }]);
    await sql.end();
    const another = join(hubs[0].folder, 'another.pem');
    writeFileSync(another, makeAuthority('another', Date.now()).cert);
    const url = (environment.SCOUT_HUB_DATABASE as string).replace(/sslrootcert=[^&]*/, `sslrootcert=${another}`);
    const refused = await scoutHub(['server', 'list'], '', { ...environment, SCOUT_HUB_DATABASE: url });
    expect(refused).toMatchObject({ status: 69, stderr: expect.stringMatching(/HUB_DATABASE.*(certificate|signature)/) });
  });

  it('answer within a time when the database hangs', async () => {
    postgres.pause();
    try {
      const answers = await Promise.all(hubs.map((hub) => hub.ask('/readyz')));
      for (const answer of answers) expect(answer.status).toBe(503);
    } finally {
      postgres.resume();
    }
    for (const hub of hubs) while ((await hub.ask('/readyz')).status !== 200);
  });

  it('show the password nowhere', async () => {
    const wrong = environment.SCOUT_HUB_DATABASE?.replace('scout:', 'nobody:');
    const refused = await scoutHub(['server', 'list'], '', { ...environment, SCOUT_HUB_DATABASE: wrong });
    expect(refused).toMatchObject({ status: 69, stderr: expect.stringContaining('password authentication failed') });
    const help = await scoutHub(['server', 'list', '--help'], '', environment);
    const backup = await scoutHub(['backup', join(hubs[0].folder, 'backup')], '', environment);
    expect(backup).toMatchObject({ status: 1, stderr: expect.stringMatching(/pg_dump --host=127.0.0.1 .*--schema=scout_hub/) });
    const unknown = await scoutHub(['server', 'list', '--database', `${environment.SCOUT_HUB_DATABASE}&x=1`]);
    expect(unknown).toMatchObject({ status: 64, stderr: expect.stringContaining('HUB_DATABASE_ADDRESS') });
    const seen = [refused, help, backup, unknown].map(({ stdout, stderr }) => stdout + stderr);
    for (const hub of hubs) seen.push(hub.output, readFileSync(`/proc/${hub.child.pid}/cmdline`, 'utf8'));
    for (const text of seen) expect(text).not.toContain(password);
  });

  it('stop when they are told to, also while the database is gone and there is something left to count', async () => {
    const refused = await Promise.all(hubs.map((hub) => hub.ask('/api/v1/whoami', 'x'.repeat(64))));
    await postgres.stop();
    expect(refused.map((answer) => answer.status)).toEqual([401, 401]);
    expect(await Promise.all(hubs.map((hub) => hub.end()))).toEqual([0, 0]);
  });
});
