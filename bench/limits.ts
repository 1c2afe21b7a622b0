/**
 * `npm run bench:limits`: the limits of the unit on a kernel that enforces them, which a container's does not: boots a
 * Debian with both packages in qemu, without KVM, and has bench/limits.sh pass each limit in turn. Prints what that says;
 * ten minutes or so. Needs root, and qemu-system-x86, e2fsprogs, debootstrap.
 */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { buildPackages } from '../packaging/build.ts';
import { root as project } from '../packaging/root.ts';
import { Machine } from '../test/systemd/machine.ts';
import { machine as thisMachine } from './lib.ts';

const KERNEL = 'linux-image-cloud-amd64';
const UNIT = `[Unit]
After=multi-user.target
[Service]
ExecStart=/bin/bash /limits.sh
`;

const folder = mkdtempSync(join(os.tmpdir(), 'scout-limits-'));
const machine = new Machine();
try {
  const quiet = { stdio: ['ignore', 'ignore', 'inherit'] as ('ignore' | 'inherit')[] };
  machine.make();
  const system = join(folder, 'root');
  // By cp, which keeps owners and links as they are.
  execFileSync('cp', ['-a', machine.root, system], quiet);
  await buildPackages({ out: join(system, 'packages'), version: '0.1.0', architectures: ['amd64'], compression: 'none' });
  cpSync(join(project, 'bench/limits.sh'), join(system, 'limits.sh'));
  const units = join(system, 'etc/systemd/system');
  writeFileSync(join(units, 'limits.service'), UNIT);
  mkdirSync(join(units, 'multi-user.target.wants'), { recursive: true });
  symlinkSync('../limits.service', join(units, 'multi-user.target.wants/limits.service'));
  symlinkSync('/dev/null', join(units, 'serial-getty@ttyS0.service'));

  // The small kernel for virtual machines: ext4 and NVMe are built in, so that it needs no initrd.
  const depends = execFileSync('apt-cache', ['depends', '--important', KERNEL], { encoding: 'utf8' });
  const image = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (!image) throw new Error(`apt knows no ${KERNEL}`);
  execFileSync('apt-get', ['download', '-q', '-o', 'APT::Sandbox::User=root', image], { ...quiet, cwd: folder });
  const [archive] = globSync(join(folder, 'linux-image-*.deb'));
  execFileSync('dpkg', ['-x', archive as string, join(folder, 'kernel')], quiet);
  const [kernel] = globSync(join(folder, 'kernel/boot/vmlinuz-*'));

  const disk = join(folder, 'disk.img');
  execFileSync('truncate', ['-s', '2G', disk]);
  execFileSync('mkfs.ext4', ['-q', '-F', '-d', system, disk], quiet);
  process.stdout.write(`${thisMachine()}; qemu without KVM\n`);
  const options = ['-accel', 'tcg,thread=multi', '-m', '1024', '-smp', '2', '-display', 'none', '-nodefaults', '-no-reboot'];
  const log = join(folder, 'console');
  const told = [
    '-serial',
    `file:${log}`,
    '-kernel',
    kernel as string,
    '-append',
    'root=/dev/nvme0n1 rw console=ttyS0 quiet systemd.show_status=no',
  ];
  const drive = ['-drive', `file=${disk},format=raw,if=none,id=disk`, '-device', 'nvme,drive=disk,serial=scout'];
  const child = spawn('qemu-system-x86_64', [...options, ...told, ...drive], {
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: 1_500_000,
  });
  await new Promise((resolve) => child.once('exit', resolve));
  const said = readFileSync(log, 'utf8').replaceAll('\r', '');
  process.stdout.write(said.slice(Math.max(said.indexOf('== Linux'), 0)));
  if (!said.includes('== done')) process.exitCode = 1;
} finally {
  await machine.end();
  rmSync(folder, { recursive: true, force: true });
}
