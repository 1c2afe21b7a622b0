import { eachLine, numberAt, numbersBetween } from './scan.ts';

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

/** proc_stat(5). What the text lacks is undefined or empty. */
export interface Stat {
  total: CpuTimes | undefined;
  cores: { number: number; times: CpuTimes }[];
  interrupts: number | undefined;
  contextSwitches: number | undefined;
  /** Seconds since the epoch. */
  bootTime: number | undefined;
  /** Processes and threads created since boot. */
  forks: number | undefined;
  running: number | undefined;
  blocked: number | undefined;
  /** By SOFTIRQS, in their order. */
  softirqs: number[];
}

/** Columns of the softirq line after its sum, in the kernel's order (include/linux/interrupt.h). */
export const SOFTIRQS = ['hi', 'timer', 'net_tx', 'net_rx', 'block', 'irq_poll', 'tasklet', 'sched', 'hrtimer', 'rcu'];

/** /proc/stat. */
export function parseStat(text: string): Stat {
  const stat: Stat = {
    total: undefined,
    cores: [],
    interrupts: undefined,
    contextSwitches: undefined,
    bootTime: undefined,
    forks: undefined,
    running: undefined,
    blocked: undefined,
    softirqs: [],
  };
  eachLine(text, (from, to) => {
    if (text.startsWith('cpu', from)) {
      const number = numberAt(text, from + 3);
      const gap = text.indexOf(' ', from);
      if (gap < 0 || gap > to) return;
      const times = cpuTimes(numbersBetween(text, gap, to));
      if (gap === from + 3) stat.total = times;
      else if (!Number.isNaN(number)) stat.cores.push({ number, times });
      return;
    }
    const value = (name: string): number | undefined =>
      text.startsWith(name, from) ? finite(numberAt(text, from + name.length)) : undefined;
    stat.interrupts ??= value('intr ');
    stat.contextSwitches ??= value('ctxt ');
    stat.bootTime ??= value('btime ');
    stat.forks ??= value('processes ');
    stat.running ??= value('procs_running ');
    stat.blocked ??= value('procs_blocked ');
    if (text.startsWith('softirq ', from)) stat.softirqs = numbersBetween(text, from + 8, to).slice(1);
  });
  return stat;
}

const finite = (value: number): number | undefined => (Number.isNaN(value) ? undefined : value);

function cpuTimes(columns: number[]): CpuTimes {
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0, guest = 0, guestNice = 0] = columns;
  return { user, nice, system, idle, iowait, irq, softirq, steal, guest, guestNice };
}
