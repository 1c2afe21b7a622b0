import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Manifest } from '../../../src/cli/bundle/bundle.ts';
import { statusBecomes } from '../../helpers/agent-life.ts';
import { AGENT, Bench, Running, run } from '../../helpers/programs.ts';
import { Needles } from '../../leak/needles.ts';

/* The real command beside agents that live, hang and are dead; then every file of the bundle is searched. */

const bench = new Bench();
const CLEAN = { PATH: process.env.PATH, HOME: bench.folder, TMPDIR: process.env.TMPDIR };
const needles = new Needles();
let key = '';
beforeAll(async () => {
  await bench.startHub();
  ({ key } = await bench.addServer('one'));
  needles.add('api key', 'configured', key);
});
afterAll(() => bench.close());

async function bundle(config: string, name: string, ...more: string[]) {
  const path = join(bench.folder, `${name}.tar.gz`);
  const done = await run(AGENT, ['bundle', path, '--config', config, ...more], { env: CLEAN });
  const into = join(bench.folder, `${name}-unpacked`);
  mkdirSync(into);
  if (existsSync(path)) execFileSync('tar', ['-xzf', path, '-C', into]);
  const folder = join(into, 'scout-agent-bundle');
  const files = existsSync(folder) ? Object.fromEntries(readdirSync(folder).map((file) => [file, readFileSync(join(folder, file))])) : {};
  for (const [file, bytes] of Object.entries(files)) expect(needles.search(bytes), file).toEqual([]);
  const manifest = JSON.parse(String(files['manifest.json'] ?? '{}')) as Manifest;
  return { ...done, path, files, manifest };
}

describe('bundle', () => {
  it('has what a maintainer needs of an agent that lives, hangs and is dead, and no secret', { timeout: 240_000 }, async () => {
    const older = needles.key('an older key, in the log');
    const proxy = needles.password('of another proxy', 'proxy password');
    const log = join(bench.folder, 'agent.log');
    const config = bench.configure('lives', key, `host_name: one\ninterval: 1s\nlog: {file: ${log}}\n`);
    const agent = new Running(AGENT, ['run', '--config', config], { ...CLEAN, SCOUT_LOG_LEVEL: 'debug' });
    try {
      await statusBecomes(config, ({ last_accepted }) => (last_accepted?.sequence ?? 0) > 1);
      expect((await run(AGENT, ['rotate', '--config', config], { env: CLEAN })).status).toBe(0);
      needles.add('api key', 'rotated', /key: "?([0-9a-f]{64})/.exec(readFileSync(config, 'utf8'))?.[1] as string);
      // As if a fault of ours, or an operator's own wrapper, had written them.
      const wrong = [
        key,
        key.toUpperCase(),
        Buffer.from(key).toString('base64'),
        Buffer.from(`me:${key}`).toString('base64'),
        key.slice(9, 40),
      ];
      appendFileSync(log, wrong.map((one) => `{"level":"error","msg":"it sent ${one} and more"}\n`).join(''));
      appendFileSync(log, `X-API-Key: ${older}\nproxy http://me:${encodeURIComponent(proxy)}@127.0.0.1:1 refused\n`);

      const alive = await bundle(config, 'alive');
      expect(alive.status, alive.stderr).toBe(0);
      expect(alive.stdout).toMatch(/: \d+ files, .*; \d+ places redacted\./);
      expect(statSync(alive.path).mode & 0o777).toBe(0o600);
      expect(Object.keys(alive.files)).toEqual(
        expect.arrayContaining([
          'manifest.json',
          'doctor.json',
          'status.json',
          'config.json',
          'check.json',
          'log.txt',
          'keyring.json',
          'audit.json',
          'outbox.json',
          'outbox-verify.json',
          'sample.json',
          'system.txt',
          'limits.txt',
          'files.txt',
        ]),
      );
      for (const name of ['doctor.json', 'status.json', 'config.json', 'keyring.json', 'audit.json', 'outbox.json', 'sample.json'])
        expect(() => JSON.parse(String(alive.files[name])), name).not.toThrow();
      expect(String(alive.files['log.txt'])).toContain('it sent [redacted] and more');
      expect(alive.manifest.files.find(({ name }) => name === 'log.txt')?.redacted.known).toBeGreaterThanOrEqual(wrong.length);
      expect(String(alive.files['limits.txt'])).toContain('Max open files');
      expect(alive.manifest.looked_for).toMatchObject({ failed: [] });

      agent.child.kill('SIGSTOP');
      const hangs = await bundle(config, 'hangs');
      expect(hangs.status).toBe(0);
      expect(String(hangs.files['status.json'])).toContain('AGENT_SILENT');
      expect(String(hangs.files['doctor.json'])).toContain('but says nothing');
      agent.child.kill('SIGCONT');
    } finally {
      await agent.end('SIGKILL');
    }
    const dead = await bundle(config, 'dead');
    expect(dead.status).toBe(0);
    expect(Object.keys(dead.files)).toEqual(expect.arrayContaining(['doctor.json', 'log.txt', 'outbox-verify.json', 'sample.json']));
  });

  it('is made with a configuration that nobody can parse, and keeps its key', async () => {
    const pasted = needles.key('in a broken configuration');
    const opaque = needles.add('api key', 'opaque, in a broken configuration', 'Opaque-w0rds_of.a-key');
    const config = join(bench.folder, 'broken.yml');
    writeFileSync(config, `api:\n\tkey: "${pasted}\nagent:\n  api_key: ${opaque}\n  [`, { mode: 0o600 });
    const log = join(bench.folder, 'broken.log');
    writeFileSync(log, `${opaque}\n${pasted}\nan innocent line\n`);
    const made = await bundle(
      config,
      'broken',
      '--state-dir',
      join(bench.folder, 'nowhere'),
      '--runtime-dir',
      join(bench.folder, 'nowhere'),
      '--log-file',
      log,
    );
    expect(made.status, made.stderr).toBe(0);
    expect(String(made.files['log.txt'])).toBe('[redacted]\n[redacted]\nan innocent line\n');
  });

  it('replaces nothing, follows no link, and leaves nothing half done', async () => {
    const config = bench.configure('refused', key, 'host_name: one\n');
    const there = join(bench.folder, 'there.tar.gz');
    writeFileSync(there, 'mine');
    symlinkSync('/nowhere/at/all', join(bench.folder, 'link.tar.gz'));
    for (const name of ['there', 'link']) {
      const done = await run(AGENT, ['bundle', join(bench.folder, `${name}.tar.gz`), '--config', config], { env: CLEAN });
      expect([done.status, done.stderr]).toEqual([1, expect.stringContaining('BUNDLE_EXISTS')]);
    }
    expect(readFileSync(there, 'utf8')).toBe('mine');
    const nowhere = await run(AGENT, ['bundle', join(bench.folder, 'no/such/folder.tar.gz'), '--config', config], { env: CLEAN });
    expect([nowhere.status, nowhere.stderr]).toEqual([77, expect.stringContaining('FILE_UNWRITABLE')]);
    rmSync(there);
    expect(readdirSync(bench.folder).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});
