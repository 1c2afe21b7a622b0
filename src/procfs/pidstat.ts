import { utf8 } from './scan.ts';

/** What is used of proc_pid_stat(5). */
export interface PidStat {
  pid: number;
  /** At most 15 bytes; the kernel cuts it. */
  name: string;
  /** One letter: R, S, D, Z, T, t, I, X. */
  state: string;
  kernelThread: boolean;
  /** Ticks. */
  userTime: number;
  systemTime: number;
  majorFaults: number;
  threads: number;
  /** Ticks after boot; with the pid it identifies a process. */
  startTime: number;
  /** Pages. */
  resident: number;
}

const PF_KTHREAD = 0x00200000;

/** /proc/PID/stat; undefined when the text is cut. The name may hold blanks and brackets: its end is the last `)`. */
export function parsePidStat(text: string): PidStat | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  const pid = Number.parseInt(text, 10);
  if (Number.isNaN(pid) || open < 1 || close < open || close + 4 > text.length) return undefined;
  let column = 4;
  let at = close + 4;
  const values: number[] = [];
  for (const wanted of COLUMNS) {
    for (; column < wanted; column++) {
      at = text.indexOf(' ', at) + 1;
      if (at === 0) return undefined;
    }
    let value = 0;
    for (let digit = text.charCodeAt(at) - 48; digit >= 0 && digit <= 9; digit = text.charCodeAt(++at) - 48) value = value * 10 + digit;
    values.push(value);
  }
  const [flags, majorFaults, userTime, systemTime, threads, startTime, resident] = values as Columns;
  return {
    pid,
    name: utf8(text.slice(open + 1, close)),
    state: text.charAt(close + 2),
    kernelThread: (flags & PF_KTHREAD) !== 0,
    userTime,
    systemTime,
    majorFaults,
    threads,
    startTime,
    resident,
  };
}

type Columns = [number, number, number, number, number, number, number];

/** The columns read, counted from 1 as in the manual page. */
const COLUMNS = [9, 12, 14, 15, 20, 22, 24];
