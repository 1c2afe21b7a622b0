import { readFileSync } from 'node:fs';
import { parseOsRelease } from '../procfs/osrelease.ts';
import type { Inventory } from '../protocol/heartbeat.ts';
import type { Host } from '../support/host.ts';
import { askMachineId, hostId, readHostId } from '../support/machine-id.ts';

/** Node's names of architectures in the words of `host.arch`. */
const ARCHES: Record<string, string> = { x64: 'amd64', ia32: 'x86', arm: 'arm32' };
/** Node's names of systems in the words of `os.type`. */
const SYSTEMS: Record<string, string> = { win32: 'windows', sunos: 'solaris' };

/**
 * What this host is: system, hardware, network cards; names of OpenTelemetry's resource attributes where there are
 * some. A fact that cannot be had is left out, so it never throws. Loads systeminformation, which spawns programs and
 * stays in memory: a process that lives long runs `scout-agent inventory --json` instead.
 */
export async function readInventory(host: Host): Promise<Inventory> {
  const found: Inventory = {};
  const add = (name: string, value: unknown) => {
    if (typeof value === 'number' ? value > 0 : typeof value === 'boolean') found[name] = value as number | boolean;
    else if (typeof value === 'string' && value.trim() && !MEANINGLESS.test(value.trim())) found[name] = value.trim().slice(0, 1_024);
  };
  const { default: facts } = await import('systeminformation');
  const [os, cpu, mem, system, cards] = await Promise.all([
    attempt(() => facts.osInfo()),
    attempt(() => facts.cpu()),
    attempt(() => facts.mem()),
    attempt(() => facts.system()),
    attempt(
      () =>
        facts.networkInterfaces() as Promise<{ iface: string; mac: string; ip4: string; ip6: string; internal: boolean; type: string }[]>,
    ),
  ]);

  add('os.type', SYSTEMS[host.platform] ?? host.platform);
  add('os.name', os?.distro);
  add('os.version', os?.release);
  add('os.build_id', os?.build);
  add('scout.os.kernel', os?.kernel);
  addRelease(host, add);
  add('host.arch', ARCHES[process.arch] ?? process.arch);
  add('host.id', host.platform === 'linux' ? readHostId(host) : await foreignHostId());
  add('host.cpu.vendor.id', cpu?.vendor);
  add('host.cpu.model.name', [cpu?.manufacturer, cpu?.brand].filter(Boolean).join(' '));
  add('host.cpu.family', cpu?.family);
  add('host.cpu.stepping', cpu?.stepping);
  add('scout.cpu.cores', cpu?.physicalCores);
  add('scout.cpu.threads', cpu?.cores);
  add('scout.cpu.sockets', cpu?.processors);
  add('scout.memory.total', mem?.total);
  add('scout.hardware.vendor', system?.manufacturer);
  add('scout.hardware.model', system?.model);
  add('scout.virtual', system?.virtual);
  add('scout.virtualisation', system?.virtualHost);
  for (const card of cards ?? []) {
    // Ends of virtual pairs and bridges come and go with containers; they say nothing about the host.
    if (card.internal || /^(veth|docker|br-|cni|flannel|cali|lxc|virbr|ifb)/.test(card.iface)) continue;
    const name = `scout.network.${card.iface}`;
    if (/[1-9a-f]/i.test(card.mac)) add(`${name}.mac`, card.mac.toUpperCase().replaceAll(':', '-'));
    add(`${name}.ipv4`, card.ip4);
    add(`${name}.ipv6`, card.ip6);
  }
  return found;
}

/** What boards without an owner's data say of themselves. */
const MEANINGLESS = /^(unknown|none|not specified|default string|to be filled by o\.?e\.?m\.?|-)$/i;

async function attempt<Fact>(ask: () => Promise<Fact>): Promise<Fact | undefined> {
  try {
    return await ask();
  } catch {
    return undefined;
  }
}

/** Of a host whose roots are mounted here, its own files speak, not this container's. */
function addRelease(host: Host, add: (name: string, value: unknown) => void): void {
  if (host.platform !== 'linux') return;
  const root = host.root.replace(/\/$/, '');
  for (const path of ['/etc/os-release', '/usr/lib/os-release']) {
    try {
      const release = parseOsRelease(readFileSync(root + path, 'utf8'));
      add('os.name', release.NAME);
      add('os.version', release.VERSION_ID);
      add('os.description', release.PRETTY_NAME);
      return;
    } catch {
      // The other place, then.
    }
  }
}

async function foreignHostId(): Promise<string | undefined> {
  const id = await askMachineId();
  return id && hostId(id);
}
