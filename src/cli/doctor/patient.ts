import { join } from 'node:path';
import { type AgentStatus, CONTROL_SOCKET } from '../../agent/control.ts';
import { ask } from '../../agent/control-client.ts';
import { holder, isHeld } from '../../agent/state-lock.ts';
import { defaultFolders } from '../../config/folders.ts';
import { resolveOptions } from '../../config/options.ts';
import { type ResolveOptions, resolveConfig } from '../../config/resolve.ts';
import type { Resolution } from '../../config/resolved.ts';
import { ScoutError } from '../../support/errors.ts';
import { type Surroundings, surroundings } from '../../support/surroundings.ts';
import type { RunOptions } from '../agent/run-options.ts';
import { findPlaces } from '../agent/running.ts';

/** What is known of the agent on this host before anything is judged. */
export interface Patient {
  options: RunOptions;
  resolving: ResolveOptions;
  resolution: Resolution;
  /** Folders of state and control socket. */
  state: string;
  socket: string;
  agent: AgentSeen;
  /** Fingerprint of the configured credential, also where the rest of the configuration has faults. */
  configured: string | undefined;
  now: number;
  around: Surroundings;
}

/** The running agent: what it says, or why it says nothing. */
type AgentSeen =
  | { kind: 'answers'; status: AgentStatus }
  /** There is none. */
  | { kind: 'dead' }
  /** A process has the state folder, and does not answer. */
  | { kind: 'silent'; pid: number | undefined; detail: string }
  /** This user may not ask it. */
  | { kind: 'denied'; detail: string };

const ANSWER_MS = 5_000;

/** Looks at configuration, folders and agent. Throws nothing for what it meets. */
export async function examine(options: RunOptions, environment: NodeJS.ProcessEnv = process.env): Promise<Patient> {
  const resolving = resolveOptions(options, environment);
  const resolution = resolveConfig(resolving);
  const { state, socket } = await placesOf(options, resolution);
  return {
    options,
    resolving,
    resolution,
    state,
    socket,
    agent: await lookAt(socket, state),
    configured: configuredIn(resolution),
    now: Date.now(),
    around: surroundings(),
  };
}

/** A configuration that may not be read belongs to the system's agent, whose folders are the usual ones. */
export async function placesOf(options: RunOptions, { problems }: Resolution): Promise<{ state: string; socket: string }> {
  try {
    return await findPlaces(options);
  } catch (error) {
    if (!(error instanceof ScoutError)) throw error;
    const hidden = problems.some(({ code }) => code === 'FILE_UNREADABLE');
    const uid = process.getuid?.() ?? 0;
    const folders = hidden ? defaultFolders({}, 0) : defaultFolders(process.env, uid);
    const state = options.stateDir ?? folders.state;
    return { state, socket: join(options.runtimeDir ?? folders.runtime, CONTROL_SOCKET) };
  }
}

async function lookAt(socket: string, state: string): Promise<AgentSeen> {
  try {
    return { kind: 'answers', status: await ask(socket, { command: 'status' }, ANSWER_MS) };
  } catch (error) {
    if (!(error instanceof ScoutError)) throw error;
    if (error.code === 'FILE_UNREADABLE') return { kind: 'denied', detail: error.message };
    const cause = error.cause instanceof Error ? error.cause.message : '';
    const hangs = cause.startsWith('no answer within');
    try {
      if (!hangs && !isHeld(state)) return { kind: 'dead' };
    } catch (held) {
      if (held instanceof ScoutError) return { kind: 'denied', detail: held.message };
      throw held;
    }
    return { kind: 'silent', pid: holder(state), detail: hangs ? cause : `nothing listens at ${socket}` };
  }
}

function configuredIn({ config, values }: Resolution): string | undefined {
  const of = (name: string) => values.find((one) => one.name === name)?.fingerprint;
  const signed = config ? config.api.auth === 'jwt' || config.api.key === undefined : of('api.key') === undefined;
  return of(signed ? 'api.private_key' : 'api.key');
}
