const BASE_MS = 1_000;
/** A service that asks for more is not obeyed further than this: one wrong header must not silence an agent. */
const RETRY_AFTER_MAX_MS = 3_600_000;

/** Longest pause between two attempts. */
export const CAP_MS = 300_000;
/** The same while the service refuses the credential: only a person ends that. */
export const REFUSED_CAP_MS = 900_000;

export interface Pause {
  /** Failures in a row, this one included: 1, 2, 3, … */
  failures: number;
  /** Longest pause, ms. */
  cap: number;
  /** What the service asked for, ms: never less than this. */
  retryAfter?: number | undefined;
  /** From 0 up to 1. */
  random: () => number;
}

/**
 * Milliseconds until the next attempt: anything between nothing and a ceiling that doubles up to the cap (full jitter,
 * at the cap too), so that agents that failed together do not come back together. What the service asked for is added
 * beneath, so that those it sent away together do not either.
 */
export function pause({ failures, cap, retryAfter = 0, random }: Pause): number {
  const ceiling = Math.min(cap, BASE_MS * 2 ** Math.min(failures - 1, 30));
  return Math.min(retryAfter, RETRY_AFTER_MAX_MS) + Math.round(random() * ceiling);
}

/** Milliseconds that a Retry-After header asks for (RFC 9110, 10.2.3): seconds, or a date; undefined when it is neither. */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1_000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
