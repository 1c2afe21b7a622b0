import type { Config } from '../config/schema.ts';
import { acceptedSchema } from '../protocol/heartbeat.ts';
import { PATHS } from '../protocol/wire.ts';
import { ScoutError } from '../support/errors.ts';
import type { Connection } from './connect.ts';
import { createCredential } from './create.ts';
import type { Credential } from './credential.ts';
import type { Proof, ProofStep } from './proof.ts';
import { namesOf, randomLike } from './random.ts';
import { ask } from './request.ts';

/** A proof that found no whoami. */
export interface Remaining {
  target: Connection;
  api: Config['api'];
  credential: Credential;
  proof: Proof;
  note(name: ProofStep['name'], ok: boolean, detail: string): void;
  /** How whoami was found missing. */
  absent: string;
}

/** What an empty batch is answered by whoever lets its sender in: taken, or called no batch. */
const NO_BATCH = [400, 415, 422];

/**
 * The proof where there is no whoami: an empty batch of heartbeats, which stores nothing. Our key must be let in, a
 * random one refused with the service's own 401, and ours let in again: else the first answer may have been about the
 * body, or the second about too many questions. Whose key it is, and which service, stays unknown: a rotation there
 * rests on the certificate alone. Throws KEY_REFUSED, KEY_FORBIDDEN, KEY_CONTROL_ACCEPTED and the SERVICE_ errors.
 */
export async function proveByHeartbeats(remaining: Remaining): Promise<void> {
  const { target, api, credential, proof, note, absent } = remaining;
  const { endpoint } = api;
  const { fingerprint } = credential;
  let step: 'key' | 'control' = 'key';
  const fail = (error: ScoutError, detail = error.problem.message): ScoutError => {
    note(step, false, detail);
    return error;
  };
  const knock = async (who: Credential): Promise<{ in: boolean; status: number; detail: string }> => {
    const heard = await ask(target, who, { method: 'POST', path: PATHS.heartbeats, body: '' }).catch((error: unknown) => {
      throw error instanceof ScoutError ? fail(error) : error;
    });
    if (heard.kind === 'absent') throw fail(new ScoutError('SERVICE_UNEXPECTED', { endpoint, detail: `${absent}; ${heard.detail}` }));
    if (heard.kind === 'problem') {
      const { status } = heard;
      if (status !== 401 && status !== 403 && !NO_BATCH.includes(status))
        throw fail(new ScoutError('SERVICE_UNEXPECTED', { endpoint, detail: `${heard.problem.detail} (${status})` }));
      return { in: NO_BATCH.includes(status), status, detail: heard.problem.detail };
    }
    const taken = acceptedSchema.safeParse(heard.body);
    const named = taken.success && (who !== credential || namesOf(api, credential).includes(taken.data.fingerprint));
    if (!named) {
      const detail = `${absent}; what came with 200 for a heartbeat does not name the key that was sent`;
      throw fail(new ScoutError('SERVICE_UNEXPECTED', { endpoint, detail }));
    }
    return { in: true, status: 200, detail: 'taken' };
  };
  const mine = async () => {
    const found = await knock(credential);
    if (found.status === 401) throw fail(new ScoutError('KEY_REFUSED', { endpoint, fingerprint }), `refused (401): ${found.detail}`);
    if (found.status === 403) throw fail(new ScoutError('KEY_FORBIDDEN', { endpoint, fingerprint, detail: found.detail }));
  };

  await mine();
  step = 'control';
  const random = await knock(createCredential(randomLike(api)));
  if (random.in) throw fail(new ScoutError('KEY_CONTROL_ACCEPTED', { endpoint }), 'a random key is answered like ours');
  if (random.status !== 401)
    throw fail(new ScoutError('SERVICE_UNEXPECTED', { endpoint, detail: 'a random key was answered 403, not 401' }));
  step = 'key';
  await mine();
  proof.fingerprint = fingerprint;
  note('key', true, `no whoami there; heartbeats with it are let in (fingerprint ${fingerprint}), whose it is cannot be told`);
  note('control', true, 'a random key of the same shape is refused');
}
