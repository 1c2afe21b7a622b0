import { describe, expect, it } from 'vitest';
import type { AgentStatus } from '../../src/agent/control.ts';
import { frame } from '../../src/cli/agent/status.ts';
import { renderStatus } from '../../src/cli/agent/status-table.ts';

const NOW = Date.parse('2026-01-02T03:04:05.000Z');
const at = (secondsAgo: number) => new Date(NOW - secondsAgo * 1_000).toISOString();

const status: AgentStatus = {
  state: 'degraded',
  version: '1.2.3',
  pid: 4711,
  instance: '00000000-0000-4000-8000-000000000000',
  uptime: 3_700,
  config: { file: '/etc/scout-agent/config.yml', loaded: at(3_700), problem: null },
  key: { fingerprint: '0123456789ab', slot: 'current', from: 'configuration', variable: null, problem: null },
  host_key: null,
  last_accepted: { time: at(62), sequence: 17 },
  last_sampled: { time: at(2), sequence: 23 },
  outbox: {
    path: '/var/lib/scout-agent/outbox.db',
    depth: 6,
    bytes: 24_576,
    max_bytes: 256 * 2 ** 20,
    durable: true,
    losses: [{ reason: 'full', count: 3, from: at(900), to: at(870) }],
  },
  destinations: [
    {
      name: 'api',
      endpoint: 'https://hub.example',
      state: 'retrying',
      pending: 6,
      last_accepted: { time: at(62), instance: 'i', sequence: 17 },
      fingerprint: '0123456789ab',
      slot: 'current',
      previous_key_valid_until: null,
      problem: { since: at(60), reason: 'refused', detail: 'ECONNREFUSED', next_attempt_in: 8 },
      accepted: 17,
      duplicates: 0,
      failures: 3,
    },
  ],
  collectors: [
    { name: 'cpu', state: 'ok', duration: 0.0004 },
    { name: 'filesystem', state: 'stale', duration: 0.0012, detail: '/mnt/nas does not answer' },
  ],
  process: { rss: 60 * 2 ** 20, private: 14 * 2 ** 20, cpu_seconds: 1.234 },
};

describe('renderStatus', () => {
  it('shows all that one asks about first', () => {
    expect(renderStatus(status, NOW)).toBe(`agent          degraded, process 4711, version 1.2.3, up 1h 1m
configuration  /etc/scout-agent/config.yml, read 1h 1m ago
key            fingerprint 0123456789ab, slot current
last sampled   2026-01-02T03:04:03.000Z (2s ago), number 23
last accepted  2026-01-02T03:03:03.000Z (1m 2s ago), number 17
outbox         6 waiting, 24 KiB of 256 MiB, /var/lib/scout-agent/outbox.db
lost           3 (full), sampled 2026-01-02T02:49:05.000Z to 2026-01-02T02:49:35.000Z
cost           60 MiB resident, 14 MiB of it private, 1.23 s of processor time

destination  endpoint             state     pending  accepted  last       problem
api          https://hub.example  retrying        6        17  1m 2s ago  refused: ECONNREFUSED (since 1m, next try in 8s)

collector   state  took    detail
cpu         ok     0.4 ms
filesystem  stale  1.2 ms  /mnt/nas does not answer`);
  });

  it('shows an agent that has just begun, under a clock that was set back', () => {
    const young: AgentStatus = {
      ...status,
      key: { ...status.key, fingerprint: null, slot: null },
      last_accepted: null,
      destinations: [],
      collectors: [],
    };
    const text = renderStatus(young, NOW - 3_600_000);
    expect(text).toContain('last accepted  none yet');
    expect(text).toContain('(0ms ago)');
  });

  it('says loudly what is wrong with the configuration and the disk', () => {
    const ill = { ...status, config: { ...status.config, problem: 'no key' }, outbox: { ...status.outbox, durable: false } };
    expect(renderStatus(ill, NOW)).toContain('no key');
    expect(renderStatus(ill, NOW)).toContain('not durable');
  });
});

describe('frame', () => {
  it('clears what is left of each old line and below, and never scrolls', () => {
    expect(frame('a\nb\nc', 3)).toBe('\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J');
  });
});
