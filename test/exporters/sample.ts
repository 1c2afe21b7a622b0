import { randomUUID } from 'node:crypto';
import type { Heartbeat } from '../../src/protocol/heartbeat.ts';

/** A heartbeat such as a small host makes, with one of each case that an encoding must tell apart. Made by hand. */
export function sampleHeartbeat(changes: Partial<Heartbeat> = {}): Heartbeat {
  return {
    v: 1,
    instance: randomUUID(),
    sequence: 1,
    time: 1_790_000_000_123,
    interval: 10,
    agent: { version: '0.1.0' },
    host: { name: 'web-1', boot_time: 1_789_900_000 },
    metrics: [
      {
        name: 'system.cpu.time',
        unit: 's',
        type: 'counter',
        attributes: ['cpu.mode', 'cpu.logical_number'],
        points: [
          ['user', 0, 120.5],
          ['idle', 0, 9_000],
          ['user', 1, 118.25],
          ['idle', 1, 9_001.75],
        ],
      },
      {
        name: 'system.memory.usage',
        unit: 'By',
        type: 'updowncounter',
        attributes: ['system.memory.state'],
        points: [
          ['used', 1_234_567_890],
          ['free', 7_000_000_000_000],
        ],
      },
      { name: 'system.network.io', unit: 'By', type: 'counter', attributes: ['network.interface.name'], points: [['eth0', 2 ** 52 + 1]] },
      {
        name: 'scout.load',
        unit: '{thread}',
        type: 'gauge',
        attributes: ['period'],
        points: [
          ['1m', 0.25],
          ['5m', 1],
        ],
      },
      { name: 'scout.temperature', unit: 'Cel', type: 'gauge', attributes: ['sensor'], points: [['ünï "quoted" \\ \n', -12.5]] },
      { name: 'scout.level', unit: '{level}', type: 'updowncounter', attributes: ['step', 'low'], points: [[0.5, -3, -7]] },
      { name: 'scout.agent.reloads', unit: '{reload}', type: 'counter', attributes: ['result'], points: [['ok', 3]] },
      { name: 'system.paging.usage', unit: 'By', type: 'updowncounter', attributes: ['system.device'], points: [] },
    ],
    ...changes,
  };
}
