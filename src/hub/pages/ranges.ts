/** Ranges of the charts, in hours, by the word in the address. Those of days are read from roll-ups. */
export const RANGES = { '1h': 1, '6h': 6, '24h': 24, '7d': 168, '30d': 720 } as const;
export type Range = keyof typeof RANGES;

/** The range that an address names; an hour unless it names one. */
export const rangeOf = (text: string | undefined): Range => (text !== undefined && Object.hasOwn(RANGES, text) ? (text as Range) : '1h');

/** A range in words: `hour`, `24 hours`, `7 days`. */
export function wordsOf(range: Range): string {
  const hours = RANGES[range];
  if (hours > 24) return `${hours / 24} days`;
  return hours === 1 ? 'hour' : `${hours} hours`;
}
