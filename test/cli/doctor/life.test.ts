import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Finding } from '../../../src/cli/doctor/finding.ts';
import { statusBecomes } from '../../helpers/agent-life.ts';
import { hungMountMissing, mountHung } from '../../helpers/hung-mount.ts';
import { AGENT, Bench, Running, run } from '../../helpers/programs.ts';

/* doctor beside an agent that lives, is dead or hangs, and with folders that are not as they should be. */

const bench = new Bench();
const CLEAN = { PATH: process.env.PATH, HOME: bench.folder, TMPDIR: process.env.TMPDIR };
const QUIET = 'interval: 1s\ncollectors: {inventory: false}\n';

async function doctor(config: string, ...more: string[]) {
  const { status, stdout } = await run(AGENT, ['doctor', '--json', '--config', config, ...more], { env: CLEAN });
  const { ok, checks } = JSON.parse(stdout) as { ok: boolean; checks: Finding[] };
  return { status, ok, checks };
}
const row = (checks: Finding[], group: string, name: string) => checks.find((one) => one.group === group && one.name === name);

let key = '';
beforeAll(async () => {
  await bench.startHub();
  ({ key } = await bench.addServer('one'));
});
afterAll(() => bench.close());

describe('doctor', () => {
  it('finds nothing wrong with an agent that does its work, then that it hangs, then that it is dead', { timeout: 180_000 }, async () => {
    const config = bench.configure('lives', key, `host_name: one\n${QUIET}`);
    const state = join(bench.folder, 'lives-state');
    const agent = new Running(AGENT, ['run', '--config', config], CLEAN);
    try {
      await statusBecomes(config, ({ last_accepted }) => (last_accepted?.sequence ?? 0) > 1);
      const well = await doctor(config);
      expect(well.checks.filter(({ status }) => !['ok', 'unsupported'].includes(status))).toEqual([]);
      expect(well).toMatchObject({ ok: true, status: 0 });
      expect(well.checks.map(({ group }) => group)).toEqual(
        expect.arrayContaining([
          'configuration',
          'permissions',
          'clock',
          'service',
          'agent',
          'outbox',
          'keyring',
          'collectors',
          'dependencies',
        ]),
      );
      expect(row(well.checks, 'service', 'control')).toMatchObject({ status: 'ok' });
      expect(JSON.stringify(well)).not.toContain(key);

      writeFileSync(config, readFileSync(config, 'utf8').replace('interval: 1s', 'interval: soon'));
      agent.child.kill('SIGHUP');
      await statusBecomes(config, ({ config: { problem } }) => problem !== null);
      const edited = await doctor(config);
      expect(edited.status).toBe(78);
      expect(row(edited.checks, 'agent', 'reload')).toMatchObject({ status: 'failed', detail: expect.stringContaining('not in force') });
      writeFileSync(config, readFileSync(config, 'utf8').replace('interval: soon', `interval: 1s\nprometheus: {listen: "127.0.0.1:1"}`));
      agent.child.kill('SIGHUP');
      await statusBecomes(config, ({ config: { problem } }) => problem?.includes('only after a restart') === true);
      const waiting = await doctor(config);
      expect(row(waiting.checks, 'agent', 'reload')).toMatchObject({ status: 'failed', cause: 'agent-not-restarted' });

      agent.child.kill('SIGSTOP');
      const silent = await doctor(config);
      expect(row(silent.checks, 'agent', 'process')).toMatchObject({
        status: 'failed',
        detail: expect.stringContaining(`process ${agent.child.pid} has the state folder, but says nothing: no answer within`),
      });
      agent.child.kill('SIGCONT');
    } finally {
      await agent.end('SIGKILL');
    }
    const dead = await doctor(config);
    expect(dead).toMatchObject({ ok: false, status: 1 });
    expect(row(dead.checks, 'agent', 'process')).toMatchObject({
      status: 'failed',
      remedy: expect.stringContaining('scout-agent --daemon'),
    });
    expect(row(dead.checks, 'outbox', 'held')).toMatchObject({ status: 'ok', detail: expect.stringContaining(state) });
    expect(row(dead.checks, 'collectors', 'cpu')).toMatchObject({ status: 'ok' });
  });

  it('has a table for people', async () => {
    const config = bench.configure('table', key, `host_name: one\n${QUIET}`);
    const { stdout, stderr, status } = await run(AGENT, ['doctor', '--config', config], { env: CLEAN });
    expect(stdout).toMatch(/\nagent\n {2}failed +process .*\n +→ Start it with/);
    expect(stdout).toContain('1 failed');
    expect([stderr, status]).toEqual(['', 1]);
  });

  it('tells of a damaged keyring and a damaged outbox', async () => {
    const config = bench.configure('damaged', key, `host_name: one\n${QUIET}`);
    const state = join(bench.folder, 'damaged-state');
    mkdirSync(state, { mode: 0o700 });
    writeFileSync(join(state, 'keyring.json'), '{"v": 1', { mode: 0o600 });
    writeFileSync(join(state, 'outbox.db'), 'no database, but long enough to be taken for one'.repeat(20), { mode: 0o600 });
    const { checks, status } = await doctor(config);
    expect(status).toBe(1);
    expect(row(checks, 'keyring', 'keyring')).toMatchObject({ status: 'failed', detail: expect.stringContaining('not JSON') });
    expect(row(checks, 'outbox', 'held')).toMatchObject({ status: 'failed', detail: expect.stringContaining('damaged') });
  });

  it('tells of files that others may read', async () => {
    const config = bench.configure('open', key, `host_name: one\n${QUIET}`);
    const state = join(bench.folder, 'open-state');
    mkdirSync(state, { mode: 0o700 });
    writeFileSync(join(state, 'keyring.json.old'), '{}', { mode: 0o644 });
    chmodSync(config, 0o644);
    const { checks, status } = await doctor(config);
    expect(status).toBe(77);
    expect(row(checks, 'permissions', 'state files')).toMatchObject({ status: 'warning', detail: 'others may use: keyring.json.old' });
    expect(row(checks, 'configuration', 'CONFIG_PERMISSIONS')).toMatchObject({
      status: 'failed',
      remedy: expect.stringContaining('chmod 06'),
    });
  });

  it.skipIf(process.getuid?.() !== 0)('tells of files that a command of root left to the agent', async () => {
    const config = bench.configure('foreign', key, `host_name: one\n${QUIET}`);
    const state = join(bench.folder, 'foreign-state');
    mkdirSync(state, { mode: 0o700 });
    chownSync(state, 12_345, 23_456);
    writeFileSync(join(state, 'outbox.db-wal'), '', { mode: 0o600 });
    const { checks, status } = await doctor(config);
    expect(status).toBe(77);
    expect(row(checks, 'permissions', 'state files')).toMatchObject({
      status: 'failed',
      detail: `${state} belongs to 12345, and in it do not: outbox.db-wal`,
      remedy: `Run: chown -R 12345:23456 ${state}`,
    });
  });

  it('tells that the configured key is the one before the current one', async () => {
    const added = await bench.addServer('window');
    const config = bench.configure('window', added.key, `host_name: window\n${QUIET}`);
    await bench.hubCommand(['key', 'rotate', 'window']);
    const { checks } = await doctor(config);
    expect(row(checks, 'service', 'slot')).toMatchObject({ status: 'warning', detail: expect.stringContaining('and ends at 20') });
  });

  it('tells of a rotation that was cut short', async () => {
    const added = await bench.addServer('cut');
    const config = bench.configure('cut', added.key, `host_name: cut\n${QUIET}`);
    const rotation = new Running(AGENT, ['rotate', '--config', config], CLEAN);
    await rotation.said('STAGED');
    await rotation.end('SIGKILL');
    const { checks } = await doctor(config);
    expect(row(checks, 'keyring', 'rotation')).toMatchObject({
      status: 'warning',
      detail: expect.stringMatching(/^(STAGED|PROVEN|COMMITTED|ADOPTED) since /),
      remedy: expect.stringContaining('scout-agent rotate'),
    });
  });

  it('tells of a procfs that is not mounted where the configuration has it', async () => {
    const config = bench.configure('container', key, `host_name: one\n${QUIET}host: {proc: /nowhere}\n`);
    const { checks } = await doctor(config);
    expect(row(checks, 'collectors', 'host.proc')).toMatchObject({
      status: 'failed',
      remedy: expect.stringContaining('-v /proc:/nowhere:ro'),
    });
  });

  it.skipIf(hungMountMissing())('comes to an end beside a dead mount, and names it', async () => {
    const mount = mountHung();
    try {
      const config = bench.configure('hung', key, `host_name: one\n${QUIET}`);
      const { checks, status } = await doctor(config);
      expect(row(checks, 'collectors', 'filesystem')).toMatchObject({ status: 'stale', detail: expect.stringContaining(mount.path) });
      expect(status).toBe(1);
    } finally {
      mount.release();
    }
  });

  it.skipIf(process.getuid?.() !== 0)('works as an ordinary user, and says what it could not see', async () => {
    const config = bench.configure('root', key, `host_name: one\n${QUIET}`);
    const agent = new Running(AGENT, ['run', '--config', config], CLEAN);
    try {
      await statusBecomes(config, ({ last_accepted }) => last_accepted !== null);
      chmodSync(bench.folder, 0o755);
      // What the program would do as another user, from its first step on.
      const drop = join(bench.folder, 'drop.cjs');
      writeFileSync(drop, 'process.setgroups([65534]); process.setgid(65534); process.setuid(65534);');
      const env = { ...CLEAN, NODE_OPTIONS: `--require ${drop}` };
      const folders = ['--state-dir', join(bench.folder, 'root-state'), '--runtime-dir', join(bench.folder, 'root-state', 'run')];
      const { stdout, stderr, status } = await run(AGENT, ['doctor', '--json', '--config', config, ...folders], { env });
      const { checks } = JSON.parse(stdout) as { checks: Finding[] };
      expect([stderr, status]).toEqual(['', 77]);
      for (const [group, name] of [
        ['configuration', 'FILE_UNREADABLE'],
        ['agent', 'process'],
        ['outbox', 'held'],
        ['keyring', 'keyring'],
      ] as const)
        expect(row(checks, group, name), `${group} ${name}`).toMatchObject({ status: 'denied' });
      expect(row(checks, 'collectors', 'cpu')).toMatchObject({ status: 'ok' });
    } finally {
      await agent.end();
    }
  });
});
