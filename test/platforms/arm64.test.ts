import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPackages } from '../../packaging/build.ts';
import { Bench, type Done } from '../helpers/programs.ts';

/*
 * The Debian package for arm64, unpacked and run under qemu. Its children are programs of arm64 as well, so the kernel must
 * know who runs these: it is told within a user namespace, which nobody else on this host sees (Linux 6.7).
 */

const QEMU = '/usr/bin/qemu-aarch64-static';
/** The libraries of Debian's cross compilers: the C library and what else Node is linked against. */
const LIBRARIES = '/usr/aarch64-linux-gnu';
const ELF_ARM64 = String.raw`\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00`;
const MASK = String.raw`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`;
const INSIDE = `set -e
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
printf '%s' "$0" > /proc/sys/fs/binfmt_misc/register
exec "$@"`;

const against = obstacle();

describe.skipIf(against)(`the package for arm64${against ? ` (${against})` : ''}`, () => {
  const bench = new Bench();
  const home = join(bench.folder, 'tree/usr/lib/scout-agent');
  const agent = (...args: string[]) => inNamespace(join(home, 'node'), join(home, 'bin/scout-agent.js'), ...args);
  let config = '';
  let fingerprint = '';

  beforeAll(async () => {
    const [deb] = await buildPackages({
      out: join(bench.folder, 'debs'),
      version: '1.2.3',
      architectures: ['arm64'],
      only: ['scout-agent'],
      compression: 'none',
    });
    execFileSync('dpkg-deb', ['-x', deb as string, join(bench.folder, 'tree')]);
    await bench.startHub();
    const server = await bench.addServer('web-1');
    fingerprint = server.fingerprint;
    config = bench.configure('agent', server.key);
  }, 180_000);
  afterAll(() => bench.close());

  it('is a program of arm64 that starts', () => {
    expect(inNamespace(join(home, 'node'), '-p', 'process.arch').stdout).toBe('arm64\n');
    expect(agent('--version')).toEqual({ status: 0, stdout: '1.2.3\n', stderr: '' });
  });

  it('reads the configuration and asks the service', () => {
    const { status, stdout } = agent('--check-config', '--online', '--config', config);
    expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining('Valid, and the service accepts the key') });
  });

  it('takes a sample with every collector', () => {
    const { metrics, host } = JSON.parse(agent('sample', '--json', '--config', config).stdout);
    const names = metrics.map(({ name }: { name: string }) => name);
    for (const name of ['system.cpu.time', 'system.memory.usage', 'system.filesystem.usage', 'system.process.count', 'system.network.io'])
      expect(names).toContain(name);
    expect(host.name).toMatch(/./);
  });

  it('sends a heartbeat that a hub accepts, through its outbox', async () => {
    const { status, stdout, stderr } = agent('heartbeat', '--config', config);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(`accepted by ${bench.endpoint} with key ${fingerprint} (current)`);
    expect((await bench.show('web-1')).instances).toMatchObject([{ accepted: 1, gaps: [] }]);
    expect(agent('outbox', 'verify', '--config', config).status).toBe(0);
  });
});

/** Runs a command where the kernel hands programs of arm64 to qemu. */
function inNamespace(...command: string[]): Done {
  const rule = `:scout-arm64:M::${ELF_ARM64}:${MASK}:${QEMU}:F`;
  const done = spawnSync('unshare', ['--user', '--map-root-user', '--mount', 'sh', '-c', INSIDE, rule, ...command], {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    timeout: 80_000,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, LANG: 'C.UTF-8', QEMU_LD_PREFIX: LIBRARIES },
  });
  return { status: done.status ?? 255, stdout: done.stdout, stderr: done.stderr };
}

function obstacle(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'needs Linux on x64';
  if (!existsSync(QEMU)) return 'needs qemu-user-static';
  if (!existsSync(join(LIBRARIES, 'lib/libatomic.so.1')) || !existsSync(join(LIBRARIES, 'lib/libstdc++.so.6')))
    return 'needs libstdc++6-arm64-cross and libatomic1-arm64-cross';
  const tried = inNamespace('true');
  return tried.status === 0 ? undefined : `needs a user namespace with a binfmt_misc of its own: ${tried.stderr.trim()}`;
}
