import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import os from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPackages } from '../../packaging/build.ts';
import { Bench, freePort, Running, run } from '../helpers/programs.ts';

/* Both programs as single executables, each a real process: no Node beside them, and nothing of the sources. */

describe.skipIf(process.platform !== 'linux')('the single executables', () => {
  const folder = mkdtempSync(join(os.tmpdir(), 'scout-sea-'));
  const bench = new Bench();
  const [agent, hub] = ['scout-agent', 'scout-hub'].map((name) => join(folder, 'one', `${name}-1.2.3-linux-x64`)) as [string, string];
  const build = (out: string, ...only: string[]) =>
    buildPackages({
      out: join(folder, out),
      version: '1.2.3',
      formats: ['sea'],
      architectures: ['amd64'],
      compression: 'none',
      ...(only.length > 0 && { only }),
    });
  let serving: Running | undefined;
  let port: number;
  let key: string;
  /** A configuration whose service is the hub that runs from its single executable. */
  const configure = (name: string, more = '', ca = join(bench.data, 'ca.pem')) =>
    bench.configure(name, key, more, { endpoint: `https://127.0.0.1:${port}`, ca });

  beforeAll(async () => {
    await build('one');
    port = await freePort();
    serving = new Running(hub, ['serve', '--listen', `127.0.0.1:${port}`, '--data', bench.data, '--tls-self-signed']);
    await serving.said('ready');
    key = JSON.parse((await run(hub, ['server', 'add', 'web', '--data', bench.data, '--json'])).stdout).key;
  }, 120_000);
  afterAll(async () => {
    await serving?.end();
    await bench.close();
    rmSync(folder, { recursive: true });
  });

  it('are the same bytes when they are built again', async () => {
    for (const path of await build('two', 'scout-agent'))
      expect(readFileSync(path).equals(readFileSync(join(folder, 'one', basename(path)))), path).toBe(true);
    rmSync(join(folder, 'two'), { recursive: true });
  });

  it('say their version and their help, and nothing else', async () => {
    for (const path of [agent, hub]) expect(await run(path, ['--version'])).toEqual({ status: 0, stdout: '1.2.3\n', stderr: '' });
    expect((await run(agent, ['--help'])).stdout).toContain('Usage: scout-agent');
    expect(await run(agent, ['rotat'])).toMatchObject({ status: 64, stderr: expect.stringContaining('rotate') });
  });

  it('do not honour NODE_OPTIONS, whatever it asks for', async () => {
    const evidence = join(folder, 'loaded');
    const script = join(folder, 'foreign.cjs');
    writeFileSync(script, `require('node:fs').writeFileSync(${JSON.stringify(evidence)}, '')`);
    for (const path of [agent, hub]) {
      const env = { ...process.env, NODE_OPTIONS: `--require=${script} --inspect=0`, NODE_PATH: folder, NODE_DEBUG: 'module' };
      expect(await run(path, ['--version'], { env })).toEqual({ status: 0, stdout: '1.2.3\n', stderr: '' });
    }
    expect(existsSync(evidence)).toBe(false);
  });

  it('check a configuration, and trust no authority that only the environment names', async () => {
    expect(await run(agent, ['--check-config', '--online', '--config', configure('check')])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('the service accepts the key'),
    });
    // An authority of its own, which did not sign the hub's certificate.
    const other = join(folder, 'other');
    const second = new Running(hub, ['serve', '--listen', `127.0.0.1:${await freePort()}`, '--data', other, '--tls-self-signed']);
    await second.said('ready');
    await second.end();
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: join(bench.data, 'ca.pem'), NODE_TLS_REJECT_UNAUTHORIZED: '0' };
    const config = configure('untrusted', '', join(other, 'ca.pem'));
    expect(await run(agent, ['--check-config', '--online', '--config', config], { env })).toMatchObject({
      status: 69,
      stdout: expect.stringContaining('SERVICE_TLS'),
    });
  });

  it('deliver one heartbeat', async () => {
    expect(await run(agent, ['heartbeat', '--config', configure('once')])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('accepted'),
    });
  });

  it('run as lean as from a package: one file, few threads, reloads and rotations with the same process', async () => {
    const config = configure('run', 'interval: 100ms\n');
    const env = { ...process.env, NODE_OPTIONS: '--require=/nowhere', NODE_EXTRA_CA_CERTS: '/nowhere' };
    const running = new Running(agent, ['run', '--config', config], env);
    await running.said('heartbeat accepted with this key');
    const { pid } = running.child;
    const proc = `/proc/${pid}`;
    expect(readlinkSync(`${proc}/exe`)).toBe(agent);
    expect(readFileSync(`${proc}/cmdline`, 'utf8').split('\0')[0]).toContain('scout-agent run --config');
    expect(readFileSync(`${proc}/environ`, 'utf8')).not.toMatch(/NODE_(OPTIONS|EXTRA_CA_CERTS)/);
    // With the daemon's own flags V8 has one thread where it has four, and no signal opens a debugger.
    const threads = readdirSync(`${proc}/task`).map((id) => readFileSync(`${proc}/task/${id}/comm`, 'utf8'));
    expect(threads.filter((name) => name.includes('V8Worker')).length).toBeLessThan(2);
    expect(threads).not.toContain('SignalInspector\n');
    const [, fingerprint] = /The key (\w+) has taken the place of/.exec((await run(agent, ['rotate', '--config', config])).stdout) ?? [];
    await running.said(`"fingerprint":"${fingerprint}"`);
    const status = JSON.parse((await run(agent, ['status', '--json', '--config', config])).stdout);
    expect(status).toMatchObject({ state: 'running', version: '1.2.3', pid });
    expect((await run(agent, ['doctor', '--config', config])).stdout).toMatch(/ok +program +version 1\.2\.3, as installed/);
    const bundle = join(folder, 'bundle.tar.gz');
    expect((await run(agent, ['bundle', bundle, '--config', config])).status).toBe(0);
    expect(execFileSync('tar', ['-xzOf', bundle, 'scout-agent-bundle/sample.json'], { encoding: 'utf8' })).toContain('system.cpu.time');
    expect(await running.end()).toBe(0);
    expect(running.output).not.toMatch(/warning/i);
  });

  it('start in the background, and stop', async () => {
    const config = configure('background');
    const log = join(folder, 'background.log');
    expect(await run(agent, ['--daemon', '--config', config, '--log-file', log])).toMatchObject({ status: 0 });
    expect(await run(agent, ['stop', '--config', config])).toMatchObject({ status: 0 });
  });

  it('serve the pages’ files from within', async () => {
    const ca = readFileSync(join(bench.data, 'ca.pem'));
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    get({ host: '127.0.0.1', port, path: '/assets/uplot.js', ca }, (answer) => {
      let text = '';
      answer.on('data', (chunk) => {
        text += chunk;
      });
      answer.once('end', () => resolve(text));
    }).once('error', reject);
    expect(await promise).toContain('uPlot');
  });

  it('have the licences of all that is inside beside them', () => {
    expect(readFileSync(`${agent}.licences`, 'utf8')).toMatch(/^Node\.js \d/m);
  });
});
