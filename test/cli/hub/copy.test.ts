import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Postgres } from '../../helpers/postgres.ts';
import { AGENT, Bench, HUB, Running, run, type Shown } from '../../helpers/programs.ts';
import { tempFolder } from '../../hub/helpers.ts';

/* A fleet that goes on reporting while its hub moves from SQLite to PostgreSQL and back: the built programs, over TLS. */

let postgres: Postgres;
let onPostgres: NodeJS.ProcessEnv;
const bench = new Bench();
beforeAll(async () => {
  postgres = await Postgres.start();
  onPostgres = { ...process.env, SCOUT_HUB_DATABASE: postgres.url() };
});
afterAll(async () => {
  await bench.close();
  await postgres?.remove();
});

const FAST = 'interval: 200ms\ncollectors: {inventory: false}\n';

async function startHub(env: NodeJS.ProcessEnv): Promise<void> {
  const args = ['serve', '--listen', `127.0.0.1:${bench.port}`, '--data', bench.data, '--tls-self-signed'];
  bench.hub = new Running(HUB, args, env);
  await bench.hub.said('ready');
}

async function hub(env: NodeJS.ProcessEnv, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await run(HUB, args, { env });
  expect(status, stderr).toBe(0);
  return stdout;
}

async function instanceOf(name: string, env: NodeJS.ProcessEnv): Promise<Shown['instances'][number]> {
  const { instances } = JSON.parse(await hub(env, 'server', 'show', name, '--json', '--data', bench.data)) as Shown;
  expect(instances.length).toBeLessThan(2);
  return instances[0] ?? { id: '', first_sequence: 0, last_sequence: 0, accepted: 0, duplicates: 0, gaps: [] };
}

describe('scout-hub copy', { timeout: 180_000 }, () => {
  it('moves a fleet that reports, to PostgreSQL and back, with no heartbeat lost or counted twice', async () => {
    await bench.startHub();
    const names = ['web-1', 'web-2'];
    const configs = await Promise.all(names.map(async (name) => bench.configure(name, (await bench.addServer(name)).key, FAST)));
    const agents = configs.map((config) => new Running(AGENT, ['run', '--config', config]));
    const reported = (name: string, env: NodeJS.ProcessEnv, beyond: number) =>
      expect.poll(async () => (await instanceOf(name, env)).accepted).toBeGreaterThan(beyond);
    for (const name of names) await reported(name, process.env, 3);

    const move = async (to: NodeJS.ProcessEnv, ...args: string[]) => {
      expect(await bench.hub?.end()).toBe(0);
      const copied = JSON.parse(await hub(onPostgres, 'copy', '--json', ...args));
      expect(copied.rows).toMatchObject({ servers: 2, keys: 2, instances: 2 });
      const [from] = to === onPostgres ? [process.env] : [onPostgres];
      const before = await Promise.all(names.map((name) => instanceOf(name, from)));
      expect(await Promise.all(names.map((name) => instanceOf(name, to)))).toEqual(before);
      // The authority stays, and nothing else of the hub that was.
      if (to === onPostgres) renameSync(join(bench.data, 'hub.db'), join(bench.data, 'hub.db.moved'));
      await startHub(to);
      for (const [index, name] of names.entries()) await reported(name, to, (before[index]?.accepted ?? 0) + 2);
    };
    await move(onPostgres, '--from', bench.data);
    await move(process.env, '--to', bench.data);

    for (const agent of agents) expect(await agent.end()).toBe(0);
    for (const name of names) {
      const one = await instanceOf(name, process.env);
      expect(one).toMatchObject({ first_sequence: 1, accepted: one.last_sequence, gaps: [] });
    }
    expect(await hub(process.env, 'audit', 'verify', '--data', bench.data)).toContain('2 lines');
  });

  it('says what it counted, and which place it wants', async () => {
    const folder = tempFolder();
    const [from, to] = [join(folder.path, 'from'), join(folder.path, 'to')];
    await hub(process.env, 'server', 'add', 'web-1', '--data', from);
    const copied = await run(HUB, ['copy', '--from', from, '--to', to]);
    expect(copied).toMatchObject({ status: 0, stdout: expect.stringMatching(/^servers +1$/m), stderr: expect.stringContaining(to) });
    const refused = (args: string[], env = process.env) => run(HUB, ['copy', ...args], { env });
    expect(await refused(['--from', from, '--to', to])).toMatchObject({ status: 1, stderr: expect.stringContaining('HUB_COPY_NOT_EMPTY') });
    expect(await refused(['--from', from])).toMatchObject({ status: 64, stderr: expect.stringContaining('--to') });
    const same = await refused(['--from', postgres.url()], onPostgres);
    expect(same).toMatchObject({ status: 64, stderr: expect.stringContaining('the same') });
    const none = await refused(['--from', join(folder.path, 'none')], onPostgres);
    expect(none).toMatchObject({ status: 1, stderr: expect.stringContaining('HUB_COPY_NONE') });
    const password = new URL(postgres.url()).password;
    for (const { stdout, stderr } of [copied, same, none]) expect(stdout + stderr).not.toContain(password);
    folder.remove();
  });
});
