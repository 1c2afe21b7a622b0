import { styleText } from 'node:util';

const STYLES = { trace: 'gray', debug: 'gray', info: 'green', warn: 'yellow', error: 'red', fatal: 'red' } as const;
/** Severities of syslog(3), as journald reads them from the start of a line (sd-daemon(3)). */
const PRIORITIES = { trace: 7, debug: 7, info: 6, warn: 4, error: 3, fatal: 2 } as const;
export type LevelName = keyof typeof STYLES;

/** `<6>`: tells journald how severe a line is. */
export function priority(level: LevelName): string {
  return `<${PRIORITIES[level]}>`;
}

/** One log record, as JSON made it, for people: time, level, message, then `name=value`. */
export function textLine(record: Record<string, unknown>, show: { time: boolean; colour: boolean }): string {
  const { level, time, msg, ...fields } = record;
  const name = level as LevelName;
  const word = name.padEnd(5);
  const parts = [show.colour ? styleText(STYLES[name], word, { validateStream: false }) : word, String(msg ?? '')];
  if (show.time) parts.unshift(String(time));
  for (const [key, value] of Object.entries(fields)) {
    const text = `${key}=${plain(value)}`;
    parts.push(show.colour ? styleText('dim', text, { validateStream: false }) : text);
  }
  return parts.join(' ');
}

/** Quoted where it would not read as one word; line breaks never leave the line. */
function plain(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined');
  return /^[^\s"=\x00-\x1f\x7f]+$/.test(text) ? text : typeof value === 'string' ? JSON.stringify(text) : text;
}
