import { closeSync, writeSync } from 'node:fs';
import type { Problem } from '../support/errors.ts';

/** Names the inherited pipe on which an agent started in the background tells how its start went. */
export const READY_FD = 'SCOUT_READY_FD';

/** The one line that goes over it. */
export type ReadyMessage =
  | { ready: true; state: 'accepted' | 'spooled'; endpoint: string; fingerprint: string | null; detail?: string }
  | { ready: false; problems: Problem[]; exit: number };

/** Tells whoever started this agent in the background, once; does nothing for one started any other way. */
export function signalReady(message: ReadyMessage): void {
  const fd = Number(process.env[READY_FD] ?? Number.NaN);
  // Children of ours must not take themselves for the agent that somebody waits for.
  delete process.env[READY_FD];
  if (!Number.isInteger(fd) || fd < 3) return;
  try {
    writeSync(fd, `${JSON.stringify(message)}\n`);
    closeSync(fd);
  } catch {
    // Nobody waits any longer.
  }
}
