/** proc_loadavg(5). */
export interface Loadavg {
  one: number;
  five: number;
  fifteen: number;
  /** Threads that run or could run. */
  runnable: number;
  /** Threads in all. */
  threads: number;
}

/** /proc/loadavg; undefined when the text is not one. */
export function parseLoadavg(text: string): Loadavg | undefined {
  const found = /^(\d+\.\d+) (\d+\.\d+) (\d+\.\d+) (\d+)\/(\d+)/.exec(text);
  if (!found) return undefined;
  const [one, five, fifteen, runnable, threads] = found.slice(1).map(Number) as [number, number, number, number, number];
  return { one, five, fifteen, runnable, threads };
}
