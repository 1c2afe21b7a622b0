import { expect, it } from 'vitest';
import { keyTable, plain } from '../../../src/cli/hub/text.ts';

it('plain leaves nothing in a name that steers a terminal', () => {
  expect(plain('\u001b]0;x\u0007web\u009b31m\u202e-1\n')).toBe('\ufffd]0;x\ufffdweb\ufffd31m\ufffd-1\ufffd');
  expect(plain('wéb-1.例え')).toBe('wéb-1.例え');
});

it('keyTable tells a key whose time is over from one that works', () => {
  const key = { fingerprint: 'f'.repeat(12), name: null, slot: 'previous' as const, enabled: true, created: '', last_used: null };
  const until = '2026-01-31T12:00:00.000Z';
  const state = (over: object, now: number) =>
    keyTable([{ ...key, valid_until: until, ...over }], now)
      .split('\n')[1]
      ?.split(/ +/)[3];
  expect(state({}, Date.parse(until) - 1)).toBe('enabled');
  expect(state({}, Date.parse(until))).toBe('expired');
  expect(state({ enabled: false }, 0)).toBe('disabled');
});
