import { expect, it } from 'vitest';
import { quiet } from '../../src/hub/log.ts';

it('says a sentence once in a while, and how often it was held back', () => {
  const lines: [Record<string, unknown>, string][] = [];
  const write = (fields: Record<string, unknown>, message: string) => void lines.push([fields, message]);
  let now = 0;
  const log = quiet({ debug: write, info: write, warn: write, error: write }, () => now);
  for (now = 0; now < 10_000; now += 1_000) log.error({ at: now }, 'disk full');
  log.warn({}, 'other');
  log.error({ at: now }, 'disk full');
  now += 10_000;
  log.error({ at: now }, 'disk full');
  expect(lines).toEqual([
    [{ at: 0 }, 'disk full'],
    [{}, 'other'],
    [{ at: 10_000, suppressed: 9 }, 'disk full'],
    [{ at: 20_000 }, 'disk full'],
  ]);
});
