import { expect, it } from 'vitest';
import { KeyLog } from '../../src/agent/key-log.ts';
import type { Outcome } from '../../src/delivery/heartbeats.ts';
import type { Log } from '../../src/support/log.ts';

function scene() {
  const lines: [string, Record<string, unknown>, string][] = [];
  const add = (level: string) => (fields: object, text: string) => void lines.push([level, fields as Record<string, unknown>, text]);
  const log: Log = { debug: add('debug'), info: add('info'), warn: add('warn'), error: add('error') };
  const state = { fingerprint: 'aaaaaaaaaaaa' };
  const keys = new KeyLog({ log, inUse: () => ({ endpoint: 'https://hub', fingerprint: state.fingerprint }) });
  return { lines, state, keys, said: () => lines.splice(0) };
}
const accepted = (fingerprint: string): Outcome => ({ kind: 'accepted', accepted: 1, duplicates: 0, fingerprint, slot: 'current' });
const refused = (by: string): Outcome => ({ kind: 'unauthorized', by, detail: 'it was revoked' });

it('tells of each key once, when it is first accepted', () => {
  const { keys, said } = scene();
  for (const one of ['aaaaaaaaaaaa', 'aaaaaaaaaaaa', 'bbbbbbbbbbbb', 'bbbbbbbbbbbb']) keys.sent(accepted(one));
  expect(said()).toEqual([
    ['info', { endpoint: 'https://hub', fingerprint: 'aaaaaaaaaaaa', slot: 'current' }, 'heartbeat accepted with this key'],
    ['info', { endpoint: 'https://hub', fingerprint: 'bbbbbbbbbbbb', slot: 'current' }, 'heartbeat accepted with this key'],
  ]);
});

it('tells of a refusal once, by the key that was set, with code and remedy; and when it is over', () => {
  const { keys, said } = scene();
  keys.sent(accepted('aaaaaaaaaaaa'));
  said();
  for (let attempt = 0; attempt < 3; attempt++) keys.sent(refused('bbbbbbbbbbbb'));
  keys.sent({ kind: 'unavailable', reason: 'refused', detail: 'd' });
  keys.sent(refused('bbbbbbbbbbbb'));
  const [[level, fields, text] = [], ...more] = said();
  expect(more).toEqual([]);
  expect(level).toBe('error');
  expect(fields).toMatchObject({ code: 'KEY_REFUSED', fingerprint: 'aaaaaaaaaaaa', remedy: expect.stringContaining('api.key') });
  expect(text).toContain('(401)');
  keys.sent({ kind: 'forbidden', by: 'aaaaaaaaaaaa', detail: 'd' });
  expect(said()[0]?.[1]).toMatchObject({ code: 'KEY_FORBIDDEN' });
  keys.sent(accepted('aaaaaaaaaaaa'));
  expect(said()).toHaveLength(1);
});
