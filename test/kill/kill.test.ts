import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AGENT, Bench, Running, run } from '../helpers/programs.ts';

/*
 * The first promise: a heartbeat sampled is a heartbeat delivered, once. The agent samples 50 times a second and is
 * killed at random instants, the hub too; afterwards the hub's books must show every number from 1 to the last.
 * SCOUT_KILLS and SCOUT_HUB_KILLS change how often.
 */

const KILLS = Number(process.env.SCOUT_KILLS ?? 200);
const HUB_KILLS = Number(process.env.SCOUT_HUB_KILLS ?? 20);

let bench: Bench;
beforeAll(async () => {
  bench = new Bench();
  await bench.startHub();
});
afterAll(() => bench.close());

it(`loses and doubles nothing through ${KILLS} kills of the agent and ${HUB_KILLS} of the hub`, { timeout: 900_000 }, async () => {
  const { key } = await bench.addServer('victim');
  const config = bench.configure('victim', key, 'interval: 20ms\ncollectors: {inventory: false}\nlog: {format: json}\n');
  const every = Math.max(1, Math.floor(KILLS / Math.max(1, HUB_KILLS)));
  for (let kill = 0; kill < KILLS; kill += 1) {
    const agent = new Running(AGENT, ['run', '--config', config]);
    await agent.said('"started"');
    // The random instant is the subject of the test: anything from in the middle of the first commit to well under way.
    await delay(randomInt(0, 400));
    if (HUB_KILLS > 0 && kill % every === every - 1) {
      await bench.hub?.end('SIGKILL');
      await delay(randomInt(0, 200));
      await agent.end('SIGKILL');
      await bench.startHub();
    } else {
      expect(await agent.end('SIGKILL')).toBe('SIGKILL');
    }
  }

  // One last life, stopped in good order once all is delivered.
  const agent = new Running(AGENT, ['run', '--config', config]);
  await agent.said('"started"');
  let status = { outbox: { depth: -1 }, last_accepted: null as { sequence: number } | null };
  for (let look = 0; look < 600 && !(status.outbox.depth >= 0 && status.outbox.depth <= 5 && status.last_accepted); look += 1) {
    await delay(100);
    const asked = await run(AGENT, ['status', '--json', '--config', config]);
    if (asked.status === 0) status = JSON.parse(asked.stdout);
  }
  expect(await agent.end('SIGTERM')).toBe(0);
  const left = JSON.parse((await run(AGENT, ['outbox', 'stats', '--json', '--config', config])).stdout);

  const { instances, refused } = await bench.show('victim');
  expect(refused).toEqual({});
  process.stdout.write(
    `the hub's books after ${KILLS} + ${HUB_KILLS} kills: ${JSON.stringify(instances)}, ${left.depth} left in the outbox\n`,
  );
  // A kill between two writes of SQLite's last frame may cost a new instance (src/delivery/wal.ts); never a heartbeat.
  expect(instances.length).toBeLessThanOrEqual(1 + Math.ceil(KILLS / 50));
  for (const { first_sequence: first, last_sequence: last, accepted, gaps } of instances) {
    expect({ first, accepted, gaps }).toEqual({ first: 1, accepted: last, gaps: [] });
  }
  expect(instances.reduce((sum, books) => sum + books.accepted, 0)).toBeGreaterThan(KILLS);
  // What the hub has and what still waits is all that was ever numbered.
  const current = instances.find((books) => books.id === left.instance);
  expect((current?.last_sequence ?? 0) + left.depth).toBe(left.next_sequence - 1);
});
