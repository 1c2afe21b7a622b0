import { field, lineEnd, numberAt, numbersBetween } from './scan.ts';

/** Clock ticks a second in which the kernel reports processor times to user space (USER_HZ): 100 on every architecture Node runs on. */
export const TICKS = 100;

/** Ticks by mode. `user` and `nice` include `guest` and `guestNice`. Columns an old kernel lacks are 0. */
export interface CpuTimes {
  user: number;
  nice: number;
  system: number;
  idle: number;
  iowait: number;
  irq: number;
  softirq: number;
  steal: number;
  guest: number;
  guestNice: number;
}

/** The processor lines of proc_stat(5). A core that is offline has none. */
export interface CpuStat {
  total: CpuTimes | undefined;
  cores: { number: number; times: CpuTimes }[];
}

/** The other lines; what the text lacks is undefined or empty. */
export interface Stat {
  interrupts: number | undefined;
  contextSwitches: number | undefined;
  /** Seconds since the epoch. */
  bootTime: number | undefined;
  /** Processes and threads created since boot. */
  forks: number | undefined;
  running: number | undefined;
  blocked: number | undefined;
  /** In the order of SOFTIRQS. */
  softirqs: number[];
}

/** Columns of the softirq line after its sum, in the kernel's order (include/linux/interrupt.h). */
export const SOFTIRQS = ['hi', 'timer', 'net_tx', 'net_rx', 'block', 'irq_poll', 'tasklet', 'sched', 'hrtimer', 'rcu'];

/** The lines of /proc/stat that begin with `cpu`; they come first. */
export function parseCpuStat(text: string): CpuStat {
  const stat: CpuStat = { total: undefined, cores: [] };
  for (let from = 0; text.startsWith('cpu', from); from = lineEnd(text, from) + 1) {
    const to = lineEnd(text, from);
    const gap = text.indexOf(' ', from);
    if (gap < 0 || gap > to) continue;
    const times = cpuTimes(numbersBetween(text, gap, to));
    const number = numberAt(text, from + 3);
    if (gap === from + 3) stat.total = times;
    else if (!Number.isNaN(number)) stat.cores.push({ number, times });
  }
  return stat;
}

/** The other lines of /proc/stat. */
export function parseStat(text: string): Stat {
  const softirq = text.indexOf('\nsoftirq ');
  return {
    interrupts: field(text, 'intr '),
    contextSwitches: field(text, 'ctxt '),
    bootTime: field(text, 'btime '),
    forks: field(text, 'processes '),
    running: field(text, 'procs_running '),
    blocked: field(text, 'procs_blocked '),
    softirqs: softirq < 0 ? [] : numbersBetween(text, softirq + 9, lineEnd(text, softirq + 1)).slice(1),
  };
}

function cpuTimes(columns: number[]): CpuTimes {
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0, guest = 0, guestNice = 0] = columns;
  return { user, nice, system, idle, iowait, irq, softirq, steal, guest, guestNice };
}
