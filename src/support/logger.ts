import { closeSync, fstatSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { isatty } from 'node:tty';
import { type DestinationStream, type Logger, pino } from 'pino';
import { detailOf, ScoutError } from './errors.ts';
import { Flood } from './flood.ts';
import { ensureFolder } from './folder.ts';
import type { Log } from './log.ts';
import { type LevelName, priority, textLine } from './log-text.ts';
import { Scrubber, scrubFields } from './scrub.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

/** The daemon's log. */
export interface AgentLog extends Log {
  readonly level: LogLevel;
  setLevel(level: LogLevel): void;
  /** While on, logs from `debug` up, whatever level is set meanwhile. */
  setDebug(on: boolean): void;
  /** Opens the log file anew, after it was rotated; where that fails, the one before stays. Nothing to do on standard error. */
  reopen(): void;
  /** Writes the counts of lines held back; everything else is written already. */
  flush(): void;
}

export interface LoggerOptions {
  level: LogLevel;
  /** `auto`: text on a terminal, JSON elsewhere. */
  format: 'auto' | 'json' | 'text';
  /** Log file, made with mode 0640, and its folder; unset: standard error. Throws FILE_UNWRITABLE when it cannot be opened. */
  file?: string;
  /** Called when that file was opened anew. */
  reopened?: () => void;
  /** Every secret now in use; asked per line, so keep it cheap. */
  secrets: () => readonly string[];
  /** Where lines go in tests, in place of the file or standard error. */
  sink?: { write(line: string): void };
  monotonic?: () => number;
  env?: NodeJS.ProcessEnv;
}

/** What is less severe is written only where it was asked for. */
const INFO = pino.levels.values.info as number;

/** Most bytes kept while the log cannot be written (a full disk); what comes on top is dropped. */
const MOST_UNWRITTEN = 64 * 1024;

/** A logger that writes synchronously, without threads, and lets no secret through. */
export function createLogger(options: LoggerOptions): AgentLog {
  const {
    level,
    format,
    file,
    reopened = () => {},
    secrets,
    sink,
    monotonic = () => process.uptime() * 1_000,
    env = process.env,
  } = options;
  const terminal = !file && !sink && isatty(2);
  const journal = !file && !sink && isJournal(env.JOURNAL_STREAM);
  const show = { time: !journal, colour: terminal && !env.NO_COLOR };
  const text = format === 'text' || (format === 'auto' && terminal);
  const scrubber = new Scrubber(secrets);
  const target = sink ? undefined : openTarget(file);
  const write = sink ? (line: string) => sink.write(line) : (line: string) => target?.write(line);

  const stream: DestinationStream = {
    write(line) {
      const record = text || journal ? (JSON.parse(line) as Record<string, unknown> & { level: LevelName }) : undefined;
      const shown = text && record ? `${textLine(record, show)}\n` : line;
      write(scrubber.clean(journal && record ? priority(record.level) + shown : shown));
    },
  };
  const flood = new Flood((severity, message, suppressed) => {
    const name = pino.levels.labels[severity] as LogLevel;
    quiet[name]({ suppressed, message }, 'further lines like this were suppressed');
  }, monotonic);
  const base = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: {
      level: (label: string) => ({ level: label }),
      log: (fields: object) => scrubFields(fields) as Record<string, unknown>,
    },
  };
  const quiet = pino(base, stream);
  const logger = pino(
    {
      ...base,
      hooks: {
        logMethod(args, method, severity) {
          // Whoever wants to see each request wants all of them.
          if (severity < INFO || flood.pass(severity, String(args[1] ?? ''))) method.apply(this, args);
        },
      },
    },
    stream,
  );
  const reopen = (): void => {
    if (!file) return;
    try {
      openLogFile(file);
      target?.reopen();
    } catch (error) {
      quiet.error({ detail: detailOf(error) }, 'the log file cannot be opened anew; lines go to the one before');
      return;
    }
    reopened();
  };
  return wrap(logger, quiet, flood, reopen);
}

function wrap(logger: Logger, quiet: Logger, flood: Flood, reopen: () => void): AgentLog {
  let wanted = logger.level as LogLevel;
  let debug = false;
  const apply = () => {
    logger.level = quiet.level = debug && wanted !== 'trace' ? 'debug' : wanted;
  };
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    get level() {
      return logger.level as LogLevel;
    },
    setLevel(level) {
      wanted = level;
      apply();
    },
    setDebug(on) {
      debug = on;
      apply();
    },
    reopen,
    flush: () => flood.flush(),
  };
}

/** Makes it where it is not there. Throws FILE_UNWRITABLE; the stream itself would throw in the middle of its work. */
function openLogFile(file: string): void {
  ensureFolder(dirname(file));
  try {
    closeSync(openSync(file, 'a', 0o640));
  } catch (error) {
    throw new ScoutError('FILE_UNWRITABLE', { path: file, detail: detailOf(error) }, {}, { cause: error });
  }
}

function openTarget(file: string | undefined) {
  if (file) openLogFile(file);
  const target = pino.destination({ dest: file ?? 2, sync: true, append: true, mode: 0o640, maxLength: MOST_UNWRITTEN });
  // A log that cannot be written must not end the agent; what was kept goes out with the next line.
  target.on('error', () => {});
  return target;
}

/** $JOURNAL_STREAM names device and inode; it is inherited by whoever has its output redirected elsewhere. */
function isJournal(stream: string | undefined): boolean {
  if (!stream) return false;
  try {
    const { dev, ino } = fstatSync(2);
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
