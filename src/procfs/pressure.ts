/** One line of a pressure file: the share of time that some or all tasks waited (0 to 1), and the time itself. */
export interface Pressure {
  kind: 'some' | 'full';
  avg10: number;
  avg60: number;
  avg300: number;
  /** Seconds since boot. */
  total: number;
}

/** /proc/pressure/{cpu,memory,io,irq} (Documentation/accounting/psi.rst). Kernels before 5.13 have no `full` for cpu. */
export function parsePressure(text: string): Pressure[] {
  const found: Pressure[] = [];
  for (const [, kind, avg10, avg60, avg300, total] of text.matchAll(
    /^(some|full) avg10=(\d+\.\d+) avg60=(\d+\.\d+) avg300=(\d+\.\d+) total=(\d+)$/gm,
  )) {
    const share = (percent: string | undefined) => Math.round(Number(percent) * 100) / 10_000;
    found.push({
      kind: kind as Pressure['kind'],
      avg10: share(avg10),
      avg60: share(avg60),
      avg300: share(avg300),
      total: Number(total) / 1e6,
    });
  }
  return found;
}
