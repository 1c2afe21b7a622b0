import { pino } from 'pino';
import type { Log } from '../support/log.ts';

/** The hub's log: JSON lines on stderr, written at once. Nothing of a request's headers or body is ever handed to it. */
export function hubLog(level = process.env.SCOUT_LOG_LEVEL ?? 'info'): Log {
  const known = Object.hasOwn(pino.levels.values, level) ? level : 'info';
  return pino({ level: known, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ dest: 2, sync: true }));
}
