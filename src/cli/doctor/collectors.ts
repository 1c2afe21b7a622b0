import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CollectorName } from '../../collectors/collector.ts';
import { type CollectorStatus, Runner } from '../../collectors/runner.ts';
import { configSchema } from '../../config/schema.ts';
import { type Host, realHost } from '../../support/host.ts';
import type { Surroundings } from '../../support/surroundings.ts';
import { type Finding, findings } from './finding.ts';
import type { Patient } from './patient.ts';
import { REMEDIES } from './remedies.ts';

const { ok, warning, failed, denied, unsupported, stale } = findings('collectors');

/**
 * Each collector, as the running agent fares with it: another user in another namespace would see other things. Where no
 * agent answers, by a sample taken here. `hung`: calls into the kernel that will not return, so this process cannot end.
 */
export async function checkCollectors({ agent, resolution, around }: Patient): Promise<{ rows: Finding[]; hung: number }> {
  const { collectors, host: roots } = resolution.config ?? configSchema.parse({});
  const host = realHost(roots);
  if (agent.kind === 'answers')
    return { rows: [...rootRows(host), ...agent.status.collectors.map((one) => collectorRow(one, host, around))], hung: 0 };
  const runner = new Runner(host, collectors);
  const { statuses } = await runner.collect();
  runner.close();
  return { rows: [...rootRows(host), ...statuses.map((one) => collectorRow(one, host, around))], hung: runner.hung };
}

/** Where the host's folders are mounted elsewhere (a container) and are not, every collector would seem to be unsupported. */
function rootRows({ proc, sys, root, platform }: Host): Finding[] {
  if (platform !== 'linux') return [];
  const rows: Finding[] = [];
  for (const [name, path, file] of [
    ['host.proc', proc, 'stat'],
    ['host.sys', sys, 'class'],
    ['host.root', root, 'etc'],
  ] as const)
    if (!existsSync(join(path, file)))
      rows.push(
        failed(
          name,
          `there is no ${file} in ${path}`,
          `Mount the host's there (docker run -v ${MOUNTS[name]}:${path}:ro), or correct ${name}.`,
        ),
      );
  return rows;
}

const MOUNTS = { 'host.proc': '/proc', 'host.sys': '/sys', 'host.root': '/' };

/** A collector's own account, with the remedy. */
export function collectorRow(status: CollectorStatus, host: Pick<Host, 'proc' | 'sys'>, around: Surroundings): Finding {
  const { name, state, detail = '', path, denied: refused = [] } = status;
  switch (state) {
    case 'stale':
      return stale(
        name,
        detail,
        `Mend the server of that mount, or run: umount -l PATH; or leave it out with collectors.${name}.exclude_mounts`,
      );
    case 'unsupported':
      return unsupported(name, detail, (around === 'windows' ? undefined : UNSUPPORTED[name as CollectorName]) ?? '');
    case 'denied':
      return denied(name, detail, deniedRemedy(path ?? '', host, around));
    case 'failed':
      return failed(
        name,
        detail,
        `Please report it, with the output of: scout-agent sample --collector ${name}. collectors.${name}: false switches it off.`,
      );
    case 'ok':
      if (refused.length === 0) return ok(name, `${(status.duration * 1_000).toFixed(1)} ms`);
      return warning(
        name,
        `not permitted: ${refused.join(', ')}`,
        (around === 'container' ? undefined : PARTLY[name as CollectorName]) ?? deniedRemedy(refused[0] ?? '', host, around),
      );
  }
}

/** What brings it about, where anything does. */
const UNSUPPORTED: Partial<Record<CollectorName, string>> = {
  pressure: 'Needs Linux 4.20 with CONFIG_PSI; where that is built in but off, boot with psi=1.',
  conntrack:
    'Nothing to do on a host that tracks no connections; else load the module (of a container: on its host): modprobe nf_conntrack',
  thermal:
    'A virtual machine has none. On hardware load the module of its sensors (of a container: on its host): modprobe coretemp (or k10temp, drivetemp).',
  swap: 'Nothing to do on a host without swap.',
  disk: 'There is no /proc/diskstats: a container without the host’s procfs. Mount it, and set host.proc.',
  entropy: 'Needs /proc/sys/kernel/random; a container may hide it. Mount the host’s procfs, and set host.proc.',
  filesystem: 'Needs /proc/self/mountinfo: mount a procfs.',
};

const PARTLY: Partial<Record<CollectorName, string>> = {
  filesystem:
    'Let the user of the agent enter it (setfacl -m u:scout-agent:x PATH), or leave it out with collectors.filesystem.exclude_mounts.',
  processes:
    'The unit has ProtectProc=: set ProtectProc=default in a drop-in. Without systemd /proc is mounted with hidepid=: mount it with gid=GROUP, and put the user of the agent into that group.',
};

function deniedRemedy(path: string, { proc, sys }: Pick<Host, 'proc' | 'sys'>, around: Surroundings): string {
  const { again } = REMEDIES[around];
  if (around === 'windows') return `Let the account of the service read ${path || 'it'} (icacls), ${again}.`;
  if (around === 'container') return containerRemedy(path, { proc, sys }, again);
  if (path.startsWith(`${proc}/`))
    return `${path} is hidden from this user: take InaccessiblePaths= and ProcSubset= out of the unit; without systemd mount /proc without hidepid=; in a container unmask it (--security-opt systempaths=unconfined); ${again}.`;
  if (path.startsWith(`${sys}/`))
    return `${path} is for root: allow it to a group (a rule of udev: GROUP=, MODE=0440), add SupplementaryGroups= to the unit, ${again}.`;
  return `Let the user of the agent read it (setfacl -m u:scout-agent:rX ${path || 'PATH'}), or give the unit CAP_DAC_READ_SEARCH in AmbientCapabilities= and CapabilityBoundingSet=, with PrivateUsers=no; ${again}.`;
}

/** No unit to change there: what the engine hides or keeps from the container's user, its options give. */
function containerRemedy(path: string, { proc, sys }: Pick<Host, 'proc' | 'sys'>, again: string): string {
  if (path.startsWith(`${proc}/`))
    return `${path} is hidden from this container: mount the host's /proc and set host.proc, or unmask it (--security-opt systempaths=unconfined), ${again}.`;
  if (path.startsWith(`${sys}/`))
    return `${path} is for root: on the host allow it to a group (a rule of udev: GROUP=, MODE=0440), add that to the container (--group-add NUMBER, supplementalGroups), ${again}.`;
  return `Let the user of the container read it (on the host: setfacl -m u:${process.getuid?.() ?? 'NUMBER'}:rX ${path || 'PATH'}), or add the capability DAC_READ_SEARCH to the container, ${again}.`;
}
