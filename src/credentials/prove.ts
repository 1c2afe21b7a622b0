import type { Config } from '../config/schema.ts';
import type { Whoami } from '../protocol/heartbeat.ts';
import { type Problem, problem, ScoutError } from '../support/errors.ts';
import { plain } from './answer.ts';
import { tryConnection } from './connect.ts';
import { createCredential } from './create.ts';
import type { Proof, ProofStep } from './proof.ts';
import { proveByHeartbeats } from './prove-heartbeats.ts';
import { namesOf, randomLike } from './random.ts';
import { connectionTo } from './request.ts';
import { askWhoami, lookForWhoami, type Reply } from './whoami.ts';

/** Seconds of difference between the clocks that are worth a word. */
const SKEW_WARNING = 5;

type Reach = Pick<Config, 'api' | 'tls' | 'proxy'>;

/**
 * Proves a key to the service: reaches it, checks its certificate and that it is the service, that it takes the key,
 * and that it refuses a random one of the same shape (else what answers there proves nothing). Never throws for what
 * it meets: that is in `problems`.
 */
export async function proveCredential(config: Reach, env: NodeJS.ProcessEnv = process.env): Promise<{ proof: Proof; problems: Problem[] }> {
  const proof: Proof = { ok: false, endpoint: config.api.endpoint, steps: [] };
  const problems: Problem[] = [];
  try {
    await prove(config, env, proof, problems);
  } catch (error) {
    if (!(error instanceof ScoutError)) throw error;
    problems.push(error.problem);
  }
  proof.ok = !problems.some((found) => found.severity === 'error');
  return { proof, problems };
}

async function prove(config: Reach, env: NodeJS.ProcessEnv, proof: Proof, problems: Problem[]): Promise<void> {
  const { api } = config;
  const { endpoint } = api;
  const target = connectionTo(config, env);
  const credential = createCredential(api);
  await tryConnection(target, (step) => proof.steps.push(step));

  const note = (name: ProofStep['name'], ok: boolean, detail: string) => proof.steps.push({ name, ok, detail });
  const reply = await noting(note, () => lookForWhoami(target, credential));
  if (reply.kind === 'absent') return proveByHeartbeats({ target, api, credential, proof, note, absent: reply.detail });
  clock(reply, proof, problems);
  if (reply.kind === 'refused') {
    note('key', false, `refused (401): ${reply.detail}`);
    // Over plain http nobody vouches for the service's clock, so the token could not be made by it.
    const seconds = Math.abs(proof.skew_seconds ?? 0);
    if (credential.renew && !reply.corrected && seconds > SKEW_WARNING) {
      problems.length = 0;
      throw new ScoutError('CLOCK_SKEW', { seconds, direction: directionOf(proof.skew_seconds as number) });
    }
    throw new ScoutError('KEY_REFUSED', { endpoint, fingerprint: credential.fingerprint });
  }
  if (reply.kind === 'forbidden') {
    note('key', false, `not permitted (403): ${reply.detail}`);
    throw new ScoutError('KEY_FORBIDDEN', { endpoint, fingerprint: credential.fingerprint, detail: reply.detail });
  }
  const { whoami } = reply;
  note('service', true, plain(`${whoami.service} ${whoami.version}, installation ${whoami.service_id}`));
  take(whoami, proof);
  if (!namesOf(api, credential).includes(whoami.fingerprint)) {
    const detail = `it says it took the key ${plain(whoami.fingerprint)}, and ${credential.fingerprint} was sent`;
    note('key', false, detail);
    throw new ScoutError('SERVICE_UNEXPECTED', { endpoint, detail });
  }
  const whose = plain(whoami.server?.name ?? whoami.credential?.name ?? 'an unnamed credential');
  note('key', true, `accepted for ${whose} (fingerprint ${whoami.fingerprint}, ${whoami.slot})`);

  const control = await noting(
    (_, ok, detail) => note('control', ok, detail),
    () => askWhoami(target, createCredential(randomLike(api))),
  );
  if (control.kind === 'refused') return void note('control', true, 'a random key of the same shape is refused');
  note('control', false, control.kind === 'forbidden' ? 'a random key was answered 403, not 401' : 'a random key was accepted');
  if (control.kind === 'accepted') throw new ScoutError('KEY_CONTROL_ACCEPTED', { endpoint });
  throw new ScoutError('SERVICE_UNEXPECTED', { endpoint, detail: 'a random key was answered 403, not 401' });
}

async function noting<T>(note: (name: 'service', ok: boolean, detail: string) => void, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ScoutError) note('service', false, error.problem.message);
    throw error;
  }
}

function take(whoami: Whoami, proof: Proof): void {
  const { server, credential, key_created, rotation } = whoami;
  Object.assign(proof, {
    service: whoami.service,
    service_id: whoami.service_id,
    ...(server && { server: { id: server.id, name: server.name }, policy: server.policy }),
    ...(credential && { credential: { id: credential.id, name: credential.name } }),
    fingerprint: whoami.fingerprint,
    slot: whoami.slot,
    previous_key_valid_until: whoami.previous_key_valid_until,
    ...(key_created !== undefined && { key_created }),
    ...(rotation && { rotation }),
  });
}

/** A wrong clock spoils nothing but signed tokens, and those are made by the service's clock where it is known. */
function clock(reply: Reply, proof: Proof, problems: Problem[]): void {
  if (reply.skew === undefined) return;
  const seconds = Math.round(reply.skew / 100) / 10;
  proof.skew_seconds = seconds;
  const direction = directionOf(seconds);
  const size = Math.abs(seconds);
  const corrected = reply.corrected && reply.kind === 'accepted' ? '; a token of this clock was refused, one of its clock taken' : '';
  proof.steps.push({ name: 'clock', ok: true, detail: `${size} s ${direction} the service${corrected}` });
  if (size > SKEW_WARNING) problems.push(problem('CLOCK_SKEW', { seconds: size, direction }, {}, 'warning'));
}

const directionOf = (seconds: number): string => (seconds < 0 ? 'behind' : 'ahead of');
