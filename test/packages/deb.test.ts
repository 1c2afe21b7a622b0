import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPackages } from '../../packaging/build.ts';
import { DEPENDS } from '../../packaging/deb.ts';
import { pinnedNode } from '../../packaging/node.ts';
import { root } from '../../packaging/root.ts';

const missing = ['dpkg-deb', 'dpkg-shlibdeps', 'lintian', 'man'].filter((name) => spawnSync('which', [name]).status !== 0);
const NODES = join(root, 'artefacts/nodes');

describe.skipIf(missing.length > 0)(`the Debian packages${missing.length > 0 ? ` (needs ${missing.join(', ')})` : ''}`, () => {
  const folder = mkdtempSync(join(os.tmpdir(), 'scout-debs-'));
  let built: string[] = [];
  const deb = (name: string, architecture = 'amd64') => join(folder, 'one', `${name}_1.2.3-1_${architecture}.deb`);
  const ask = (command: string, ...args: string[]) => {
    const done = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 << 20, env: { ...process.env, LC_ALL: 'C.UTF-8' } });
    expect(done.stderr, `${command} ${args.join(' ')}`).toBe('');
    return done.stdout;
  };
  const contents = (path: string) => ask('dpkg-deb', '--contents', path).trim().split('\n');
  const file = (path: string, name: string) => ask('sh', '-c', `dpkg-deb --fsys-tarfile "$0" | tar -xO "./$1"`, path, name);

  beforeAll(async () => {
    const common = { out: join(folder, 'one'), version: '1.2.3', compression: 'none' } as const;
    built = await buildPackages({ ...common, only: ['scout-hub'], architectures: ['amd64'] });
    built.push(...(await buildPackages({ ...common, only: ['scout-agent'] })));
  }, 180_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  it('have the names that dpkg gives, and checksums', () => {
    expect(built).toEqual([deb('scout-hub'), deb('scout-agent'), deb('scout-agent', 'arm64')]);
    const sum = createHash('sha256')
      .update(readFileSync(deb('scout-agent')))
      .digest('hex');
    const sums = readFileSync(join(folder, 'one/SHA256SUMS'), 'utf8');
    expect(sums).toContain(`${sum}  scout-agent_1.2.3-1_amd64.deb\n`);
    // Of the build before as well.
    expect(sums).toMatch(/^[0-9a-f]{64} {2}scout-hub_1\.2\.3-1_amd64\.deb$/m);
    expect(ask('sh', '-c', 'cd "$0" && sha256sum -c --quiet SHA256SUMS', join(folder, 'one'))).toBe('');
  });

  it('are the same bytes when they are built again', async () => {
    const umask = process.umask(0o077);
    const out = join(folder, 'two');
    const again = await buildPackages({
      out,
      version: '1.2.3',
      architectures: ['amd64'],
      only: ['scout-agent'],
      compression: 'none',
    }).finally(() => process.umask(umask));
    for (const path of again) expect(readFileSync(path).equals(readFileSync(join(folder, 'one', basename(path)))), path).toBe(true);
    rmSync(out, { recursive: true });
  }, 120_000);

  it('hold what belongs there, owned by root, with no key among it', () => {
    const agent = contents(deb('scout-agent'));
    for (const path of [
      'usr/bin/scout-agent',
      'usr/lib/scout-agent/node',
      'usr/lib/scout-agent/dist/agent/daemon.cjs',
      'usr/lib/systemd/system/scout-agent.service',
      'usr/lib/systemd/system/scout-agent-rotate.timer',
      'usr/lib/sysusers.d/scout-agent.conf',
      'usr/lib/tmpfiles.d/scout-agent.conf',
      'usr/share/man/man1/scout-agent.1.gz',
      'usr/share/bash-completion/completions/scout-agent',
      'usr/share/zsh/vendor-completions/_scout-agent',
      'usr/share/fish/vendor_completions.d/scout-agent.fish',
      'usr/share/doc/scout-agent/copyright',
      'etc/scout-agent/config.yml.example',
    ])
      expect(
        agent.filter((line) => line.endsWith(` ./${path}`)),
        path,
      ).toHaveLength(1);
    for (const line of [...agent, ...contents(deb('scout-hub'))]) expect(line).toMatch(/^[-d]([r-][w-][x-]){3} root\/root /);
    expect(agent.find((line) => line.endsWith('./etc/scout-agent/'))).toMatch(/^drwxr-x---/);
    expect(agent.filter((line) => line.includes('host.key'))).toEqual([]);
    expect(ask('dpkg-deb', '--info', deb('scout-agent'), 'conffiles')).toBe(
      '/etc/scout-agent/config.yml.example\n/etc/logrotate.d/scout-agent\n',
    );
  });

  it('bring the Node of the processor that they name', () => {
    for (const [architecture, machine] of [
      ['amd64', 62],
      ['arm64', 183],
    ] as const) {
      expect(ask('dpkg-deb', '--field', deb('scout-agent', architecture), 'Architecture').trim()).toBe(architecture);
      expect(readFileSync(join(pinnedNode(architecture, NODES), 'bin/node')).readUInt16LE(18)).toBe(machine);
    }
  });

  it('depend on what their Node is linked against', () => {
    const place = join(folder, 'shlibs');
    mkdirSync(join(place, 'debian'), { recursive: true });
    writeFileSync(join(place, 'debian/control'), 'Source: x\n\nPackage: x\nArchitecture: any\n');
    const told = spawnSync('dpkg-shlibdeps', ['-O', join(pinnedNode('amd64', NODES), 'bin/node')], { cwd: place, encoding: 'utf8' });
    // The versions are those of the distribution that is asked; the names must be all there.
    expect(told.stdout.match(/\blib[\w+-]+/g)).toEqual(DEPENDS.match(/lib[\w+-]+/g));
  });

  it('name the licence of all that is inside', () => {
    const copyright = file(deb('scout-agent'), 'usr/share/doc/scout-agent/copyright');
    for (const name of ['pino', 'zod', 'yaml', 'smol-toml', 'commander', 'undici', 'systeminformation', 'Node.js'])
      expect(copyright).toMatch(new RegExp(`^${name} \\d`, 'm'));
    expect(copyright).toContain('libuv');
  });

  it('have manual pages that man(1) finds no fault with, with every command', () => {
    for (const name of ['scout-agent', 'scout-hub']) {
      const page = join(folder, `${name}.1`);
      writeFileSync(page, ask('sh', '-c', `dpkg-deb --fsys-tarfile "$0" | tar -xO ./usr/share/man/man1/${name}.1.gz | gzip -d`, deb(name)));
      const text = ask('man', '--warnings', '-l', '-Tutf8', page)
        .replace(/.\x08|\x1b\[[\d;]*m/g, '')
        .replace(/\s+/g, ' ');
      expect(text).toContain(`${name} - `);
      expect(text).toContain(name === 'scout-hub' ? 'scout-hub server add [options] <name>' : 'scout-agent rotate [options]');
      expect(text).toContain('EXIT STATUS');
      expect(text).not.toContain('resolve-config');
    }
  });

  it('leave lintian nothing to say', () => {
    // Packed without compression here, for the time it takes.
    const quiet = '--suppress-tags=uses-no-compression-for-control-tarball,uses-no-compression-for-data-tarball';
    const done = spawnSync('lintian', ['--allow-root', '--fail-on=error,warning', quiet, deb('scout-agent'), deb('scout-hub')], {
      encoding: 'utf8',
      timeout: 240_000,
    });
    expect(done.stdout).toBe('');
    expect(done.status).toBe(0);
  }, 250_000);
});
