import { formatDuration, parseDuration } from '../support/durations.ts';

/*
 * When a server counts as silent: one setting of the hub (`serve --silent-after`), which is kept in the store, so that the
 * commands beside a hub that runs say the same as its pages.
 */

/** So many of a server's own intervals, or the same time for every server, ms; a server is late first in any case. */
export type SilentAfter = { intervals: number } | { ms: number };

export const SILENT_AFTER: SilentAfter = { intervals: 10 };

const LEAST_INTERVALS = 3;
const MOST_INTERVALS = 100_000;
const LEAST_MS = 10_000;
const MOST_MS = 366 * 86_400_000;

/** Reads `20` (intervals, 3 to 100,000) or `5m` (10 s to 366 d); undefined for anything else. */
export function parseSilentAfter(text: string): SilentAfter | undefined {
  if (/^\d+$/.test(text)) {
    const intervals = Number(text);
    return intervals >= LEAST_INTERVALS && intervals <= MOST_INTERVALS ? { intervals } : undefined;
  }
  const ms = /[a-z]$/.test(text) ? parseDuration(text) : undefined;
  return ms !== undefined && ms >= LEAST_MS && ms <= MOST_MS ? { ms: Math.round(ms) } : undefined;
}

/** As `parseSilentAfter` reads it. */
export const silentAfterText = (after: SilentAfter): string => ('ms' in after ? `${after.ms}ms` : String(after.intervals));

/** For people: `10 intervals`, `5m`. */
export const silenceInWords = (after: SilentAfter): string => ('ms' in after ? formatDuration(after.ms) : `${after.intervals} intervals`);

/** How long a server with an interval (seconds) may be unheard before it is silent, ms, without the slack. */
export const silenceMs = (after: SilentAfter, interval: number): number => ('ms' in after ? after.ms : after.intervals * interval * 1_000);
