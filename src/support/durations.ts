const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const BYTES: Record<string, number> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/**
 * Milliseconds of a duration as people write it: `10s`, `1m30s`, `250ms`, `24h`, `90d`. A bare number means seconds.
 * Returns undefined for anything else.
 */
export function parseDuration(text: string | number): number | undefined {
  const input = String(text).trim();
  if (/^\d+(\.\d+)?$/.test(input)) return Number(input) * 1_000;
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(input)) return undefined;
  let total = 0;
  for (const [, number, unit] of input.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    total += Number(number) * (UNITS[unit as string] as number);
  return total;
}

/** A duration for people, in its one or two largest units: `90d`, `1h 5m`, `12s`, `250ms`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  const parts: string[] = [];
  let rest = Math.round(ms / 1_000) * 1_000;
  for (const unit of ['d', 'h', 'm', 's']) {
    const size = UNITS[unit] as number;
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count}${unit}`);
    else if (parts.length > 0) break;
  }
  return parts.slice(0, 2).join(' ');
}

/** Bytes of a size as people write it: `256MiB`, `1GB`, `4096`. Returns undefined for anything else. */
export function parseBytes(text: string | number): number | undefined {
  const found = /^(\d+(?:\.\d+)?)\s*([KMGT]i?B|B)?$/.exec(String(text).trim());
  return found ? Math.round(Number(found[1]) * (BYTES[found[2] ?? ''] as number)) : undefined;
}

/** A size for people: `3.2 MiB`. */
export function formatBytes(bytes: number): string {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB']) {
    const size = BYTES[unit] as number;
    if (bytes >= size) return `${(bytes / size).toFixed(bytes / size < 10 ? 1 : 0)} ${unit}`;
  }
  return `${bytes} B`;
}
