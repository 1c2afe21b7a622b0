import { describe, expect, it } from 'vitest';
import { readBootTime } from '../../src/collectors/boot.ts';
import { readInventory } from '../../src/collectors/inventory.ts';
import { heartbeatSchema } from '../../src/protocol/heartbeat.ts';
import { realHost } from '../../src/support/host.ts';
import { fixture, fixtureHost } from '../helpers/fixture-host.ts';

describe('readInventory', () => {
  it('tells what the host is, by its own files where it is mounted here', async () => {
    const found = await readInventory(realHost({ root: fixture('rhel-8') }));
    expect(heartbeatSchema.shape.inventory.safeParse(found).success).toBe(true);
    expect(found).toMatchObject({ 'os.name': 'Red Hat Enterprise Linux', 'os.version': '8.10', 'host.arch': expect.any(String) });
    expect(found['scout.memory.total']).toBeGreaterThan(0);
    expect(found['scout.cpu.threads']).toBeGreaterThan(0);
  }, 30_000);
});

describe('readBootTime', () => {
  it('is btime of stat', () => expect(readBootTime(fixtureHost('rhel-8'))).toBe(1_763_012_345));
  it('is unknown without stat', () => expect(readBootTime(fixtureHost('rhel-8', { proc: '/nowhere' }))).toBeUndefined());
  it('comes from the uptime on other systems', () => {
    expect(readBootTime({ ...realHost(), platform: 'darwin' })).toBeGreaterThan(0);
  });
});
