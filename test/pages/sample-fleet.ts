import type { Registry } from '../../src/hub/servers.ts';
import { type FakeHost, fillServer } from './fleet-data.ts';

const HOUR = 3_600_000;

/**
 * The fleet that the suites look at, in every state, with a past: `web-1` alive, `db-1.example.org` alive with a boot and
 * lost heartbeats, `batch-7` silent, `cache-2` late, `not-yet-there` never heard; and `nodes` more that are alive. Intervals
 * are long, so that on a slow machine those are alive still when they are looked at. Returns the key and the host of
 * `web-1`, which a test may let report on.
 */
export async function sampleFleet(hub: Pick<Registry, 'store' | 'now'>, nodes: number): Promise<{ key: string; host: FakeHost }> {
  const live = await fillServer(hub, 'web-1', { from: 1.2 * HOUR, interval: 30, seed: 2 });
  const lost = [40, 41, 99];
  await fillServer(hub, 'db-1.example.org', { from: 9 * HOUR, interval: 300, seed: 3, hostName: 'db-1', reboots: [2 * HOUR], lost });
  await fillServer(hub, 'batch-7', { from: 2 * HOUR, until: HOUR, interval: 60, seed: 4 });
  await fillServer(hub, 'cache-2', { from: 3 * HOUR, until: 25 * 60_000, interval: 600, seed: 5 });
  await fillServer(hub, 'not-yet-there');
  for (let i = 0; i < nodes; i++) await fillServer(hub, `node-${i}`, { from: 1_200_000, interval: 600, seed: 10 + i });
  return live;
}
