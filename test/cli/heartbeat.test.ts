import { describe, expect, it } from 'vitest';
import { failureOf } from '../../src/cli/agent/heartbeat.ts';
import type { Outcome } from '../../src/delivery/heartbeats.ts';
import { EXIT } from '../../src/support/errors.ts';

const away = (reason: Extract<Outcome, { kind: 'unavailable' }>['reason']): Outcome => ({ kind: 'unavailable', reason, detail: 'd' });

describe('the exit status of a heartbeat', () => {
  it('is none when it was accepted', () => {
    expect(failureOf({ kind: 'accepted', accepted: 1, duplicates: 0 }, 'e', 'f')).toBeUndefined();
  });

  it.each<[Outcome, number]>([
    [{ kind: 'unauthorized', detail: 'd' }, EXIT.refused],
    [{ kind: 'forbidden', detail: 'd' }, EXIT.refused],
    [{ kind: 'too-large' }, EXIT.failed],
    [{ kind: 'rejected', detail: 'd' }, EXIT.failed],
    [away('busy'), EXIT.again],
    [away('server-error'), EXIT.again],
    [away('tls'), EXIT.unreachable],
    [away('dns'), EXIT.unreachable],
    [away('timeout'), EXIT.unreachable],
    [away('unexpected'), EXIT.failed],
  ])('fits %j', (outcome, exit) => {
    expect(failureOf(outcome, 'https://hub', 'abc')?.exit).toBe(exit);
  });
});
