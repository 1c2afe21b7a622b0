import { parseNetDev } from '../procfs/netdev.ts';
import type { Point } from '../protocol/heartbeat.ts';
import { type CollectorDefinition, metric } from './collector.ts';
import { matcher, netFolder } from './files.ts';

export const network: CollectorDefinition<'network'> = {
  name: 'network',
  summary: 'Traffic, errors and link state of network interfaces.',
  create(host, settings, files) {
    const excluded = matcher(settings.exclude);
    const folder = netFolder(host);
    return {
      collect() {
        const io: Point[] = [];
        const packets: Point[] = [];
        const dropped: Point[] = [];
        const errors: Point[] = [];
        const up: Point[] = [];
        for (const { name, receive, transmit } of parseNetDev(files.text(`${folder}/dev`))) {
          if (excluded(name)) continue;
          io.push([name, 'receive', receive.bytes], [name, 'transmit', transmit.bytes]);
          packets.push([name, 'receive', receive.packets], [name, 'transmit', transmit.packets]);
          dropped.push([name, 'receive', receive.dropped], [name, 'transmit', transmit.dropped]);
          errors.push([name, 'receive', receive.errors], [name, 'transmit', transmit.errors]);
          const state = files.optional(`${host.sys}/class/net/${name}/operstate`);
          // Loopback and tunnels have no carrier to lose and say `unknown`.
          if (state !== undefined) up.push([name, state.startsWith('up') || state.startsWith('unknown') ? 1 : 0]);
        }
        const named = ['network.interface.name', 'network.io.direction'];
        return [
          metric('system.network.io', 'By', 'counter', named, io),
          // The conventions name the interface `system.device` in this one metric.
          metric('system.network.packet.count', '{packet}', 'counter', ['system.device', 'network.io.direction'], packets),
          metric('system.network.packet.dropped', '{packet}', 'counter', named, dropped),
          metric('system.network.errors', '{error}', 'counter', named, errors),
          ...(up.length > 0 ? [metric('scout.network.up', '1', 'gauge', ['network.interface.name'], up)] : []),
        ];
      },
    };
  },
};
