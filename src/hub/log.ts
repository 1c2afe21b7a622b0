import { pino } from 'pino';
import type { Log } from '../support/log.ts';

const QUIET_MS = 10_000;

/** The hub's log: JSON lines on stderr, written at once. Nothing of a request's headers or body is ever handed to it. */
export function hubLog(level = process.env.SCOUT_LOG_LEVEL ?? 'info'): Log {
  const known = Object.hasOwn(pino.levels.values, level) ? level : 'info';
  const options = { level: known, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  return quiet(pino(options, pino.destination({ dest: 2, sync: true })), () => performance.now());
}

/**
 * Lets one sentence through once in ten seconds and counts the rest into `suppressed` of the next: when the disk is
 * full every request of a whole fleet fails with the same words.
 */
export function quiet(log: Log, now: () => number): Log {
  const spoken = new Map<string, { at: number; suppressed: number }>();
  const through = (write: Log['info']): Log['info'] => {
    return (fields, message) => {
      const last = spoken.get(message);
      if (last && now() - last.at < QUIET_MS) return void last.suppressed++;
      spoken.set(message, { at: now(), suppressed: 0 });
      write(last?.suppressed ? { ...fields, suppressed: last.suppressed } : fields, message);
    };
  };
  return {
    debug: (fields, message) => log.debug(fields, message),
    info: through((fields, message) => log.info(fields, message)),
    warn: through((fields, message) => log.warn(fields, message)),
    error: through((fields, message) => log.error(fields, message)),
  };
}
