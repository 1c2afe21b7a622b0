import { type Whoami, whoamiSchema } from '../protocol/heartbeat.ts';
import { PATHS, SERVICE } from '../protocol/wire.ts';
import { ScoutError } from '../support/errors.ts';
import { addressOf, type Connection } from './connect.ts';
import type { Credential } from './credential.ts';
import { ask } from './request.ts';

/** What the service itself said; `skew` is this clock minus its own, ms. */
export type Reply = {
  skew?: number;
  /** Set where a token of this clock was refused: the answer is to one of the service's clock. */
  corrected?: true;
} & ({ kind: 'accepted'; whoami: Whoami } | { kind: 'refused'; detail: string } | { kind: 'forbidden'; detail: string });

/** There is no whoami there (404), from the service or from whatever stands before it. */
export interface Absent {
  kind: 'absent';
  detail: string;
}

/**
 * Asks the service who we are, over a connection of its own. Throws SERVICE_UNEXPECTED when what answers is not the
 * service (a web page, a proxy's own 401) or has no whoami, SERVICE_BUSY, SERVICE_TLS, or SERVICE_UNREACHABLE.
 */
export async function askWhoami(target: Connection, credential: Credential): Promise<Reply> {
  const reply = await lookForWhoami(target, credential);
  if (reply.kind === 'absent') throw unexpected(target, reply.detail);
  return reply;
}

/** As `askWhoami`, for whoever knows another way where there is none. */
export async function lookForWhoami(target: Connection, credential: Credential): Promise<Reply | Absent> {
  const heard = await ask(target, credential, { method: 'GET', path: PATHS.whoami });
  const clock = { ...(heard.skew !== undefined && { skew: heard.skew }), ...(heard.corrected && { corrected: true as const }) };
  if (heard.kind === 'absent') return { kind: 'absent', detail: heard.detail };
  if (heard.kind === 'problem') {
    const { status, problem } = heard;
    if (status === 401 || status === 403) return { kind: status === 401 ? 'refused' : 'forbidden', detail: problem.detail, ...clock };
    const detail = `${problem.detail} (${status})`;
    if (status === 404) return { kind: 'absent', detail: `there is no ${PATHS.whoami}: ${detail}` };
    throw unexpected(target, detail);
  }
  const parsed = whoamiSchema.safeParse(heard.body);
  if (!parsed.success) throw unexpected(target, 'JSON came with 200 that is not the answer of a service for agents');
  if (parsed.data.service !== SERVICE) throw unexpected(target, 'it says that it is another service than a scout-hub');
  const exact = heard.middle - Date.parse(parsed.data.time);
  return { kind: 'accepted', whoami: parsed.data, ...clock, ...(!Number.isNaN(exact) && { skew: exact }) };
}

const unexpected = (target: Connection, detail: string) =>
  new ScoutError('SERVICE_UNEXPECTED', { endpoint: addressOf(target.endpoint), detail });
