import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { AgentStatus } from '../../agent/control.ts';
import { ScoutError } from '../../support/errors.ts';
import { out } from '../output.ts';
import { example, type Verb } from '../program.ts';
import { folderOptions, type RunOptions } from './run-options.ts';
import { findPlaces } from './running.ts';
import { renderStatus } from './status-table.ts';

interface Options extends RunOptions {
  json?: boolean;
  watch?: boolean;
}

const ANSWER_MS = 5_000;
const PERIOD_MS = 1_000;

/** `status`: what the running agent says of itself. Exit 0 whenever one answers, in whatever state. */
export const verb: Verb = (program) => {
  const command = folderOptions(program.command('status').description('tell how the running agent fares'))
    .option('--json', 'print one JSON document; with --watch one a line')
    .option('--watch', 'draw anew every second, until Ctrl-C');
  example(command, 'scout-agent status', 'scout-agent status --json').action(status);
};

async function status(options: Options): Promise<void> {
  const { socket, state } = await findPlaces(options);
  const { ask } = await import('../../agent/control-client.ts');
  const read = () => ask(socket, { command: 'status' }, ANSWER_MS).catch((error) => explain(error, socket, state));
  if (options.watch) return watch(read, options.json ?? false);
  const found = await read();
  if (options.json) out.json(found);
  else out.line(renderStatus(found, Date.now()));
}

/** One that hangs, or whose socket was deleted, still holds its lock: to start another would not help. */
async function explain(error: unknown, socket: string, state: string): Promise<never> {
  if (!isAbsent(error)) throw error;
  const { holder, isHeld } = await import('../../agent/state-lock.ts');
  let held = false;
  try {
    held = existsSync(state) && isHeld(state);
  } catch {
    // This user may not look; who runs it is told by others.
  }
  throw held ? new ScoutError('AGENT_SILENT', { pid: holder(state) ?? 'unknown', path: socket }) : error;
}

const isAbsent = (error: unknown): error is ScoutError => error instanceof ScoutError && error.code === 'AGENT_NOT_RUNNING';
const isSilent = (error: unknown): error is ScoutError => error instanceof ScoutError && error.code === 'AGENT_SILENT';

async function watch(read: () => Promise<AgentStatus>, json: boolean): Promise<void> {
  const stop = new AbortController();
  const end = () => stop.abort();
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  const screen = process.stdout.isTTY && !json;
  // A screen of its own, cursor hidden: what stood in the terminal comes back at the end.
  if (screen) process.stdout.write('\x1b[?1049h\x1b[?25l');
  try {
    while (!stop.signal.aborted) {
      const text = json ? await line(read) : await page(read);
      if (screen) process.stdout.write(frame(text, process.stdout.rows));
      else out.line(text);
      await delay(PERIOD_MS, undefined, { signal: stop.signal }).catch(() => {});
    }
  } finally {
    if (screen) process.stdout.write('\x1b[?25h\x1b[?1049l');
    process.off('SIGINT', end);
    process.off('SIGTERM', end);
  }
}

/** A watch outlives the agent: it shows that nobody answers, and then the next one. */
async function page(read: () => Promise<AgentStatus>): Promise<string> {
  try {
    return renderStatus(await read(), Date.now());
  } catch (error) {
    if (isAbsent(error) || isSilent(error)) return error.message;
    throw error;
  }
}

async function line(read: () => Promise<AgentStatus>): Promise<string> {
  try {
    return JSON.stringify(await read());
  } catch (error) {
    if (isAbsent(error)) return JSON.stringify({ state: 'not running' });
    if (isSilent(error)) return JSON.stringify({ state: 'silent' });
    throw error;
  }
}

/** One redraw over the last: each line clears what is left of the old one, so that nothing flickers. */
export function frame(text: string, rows: number): string {
  const lines = text.split('\n').slice(0, Math.max(1, rows - 1));
  return `\x1b[H${lines.map((one) => `${one}\x1b[K\n`).join('')}\x1b[J`;
}
