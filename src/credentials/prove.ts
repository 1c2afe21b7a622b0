import { generateKeyPairSync, randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Config } from '../config/schema.ts';
import { type Problem, problem, ScoutError } from '../support/errors.ts';
import { type Connection, tryConnection } from './connect.ts';
import { authOf, createCredential } from './create.ts';
import type { Proof } from './proof.ts';
import { proxyFor } from './proxy.ts';
import { askWhoami, type Reply } from './whoami.ts';

/** Seconds of difference between the clocks that are worth a word, and that break signed tokens. */
const SKEW_WARNING = 5;
const SKEW_ERROR = 300;

/**
 * Proves a key to the service: reaches it, checks its certificate and that it is the service, that it takes the key,
 * and that it refuses a random one of the same shape (else what answers there proves nothing). Never throws for what
 * it meets: that is in `problems`.
 */
export async function proveCredential(
  config: Pick<Config, 'api' | 'tls' | 'proxy'>,
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ proof: Proof; problems: Problem[] }> {
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

async function prove(
  config: Pick<Config, 'api' | 'tls' | 'proxy'>,
  env: NodeJS.ProcessEnv,
  proof: Proof,
  problems: Problem[],
): Promise<void> {
  const { api } = config;
  const endpoint = new URL(api.endpoint);
  const target: Connection = {
    endpoint,
    proxy: proxyFor(endpoint, config.proxy, env),
    tls: tlsTexts(config.tls),
    timeout: api.timeout,
  };
  await tryConnection(target, (step) => proof.steps.push(step));

  const credential = createCredential(api);
  const note = (name: 'service' | 'key' | 'control' | 'clock', ok: boolean, detail: string) => proof.steps.push({ name, ok, detail });
  let reply: Reply;
  try {
    reply = await askWhoami(target, credential);
  } catch (error) {
    if (error instanceof ScoutError) note('service', false, error.problem.message);
    throw error;
  }
  clock(reply, proof, problems);
  if (reply.kind === 'refused') {
    note('key', false, `refused (401): ${reply.detail}`);
    throw new ScoutError('KEY_REFUSED', { endpoint: api.endpoint, fingerprint: credential.fingerprint });
  }
  if (reply.kind === 'forbidden') {
    note('key', false, `not permitted (403): ${reply.detail}`);
    throw new ScoutError('KEY_FORBIDDEN', { endpoint: api.endpoint, fingerprint: credential.fingerprint, detail: reply.detail });
  }
  const { whoami } = reply;
  note('service', true, `${whoami.service} ${whoami.version}, installation ${whoami.service_id}`);
  Object.assign(proof, {
    service: whoami.service,
    service_id: whoami.service_id,
    server: { id: whoami.server.id, name: whoami.server.name },
    fingerprint: whoami.fingerprint,
    slot: whoami.slot,
  });
  if (authOf(api) !== 'jwt' && whoami.fingerprint !== credential.fingerprint) {
    const detail = `it says it took the key ${whoami.fingerprint}, and ${credential.fingerprint} was sent`;
    note('key', false, detail);
    throw new ScoutError('SERVICE_UNEXPECTED', { endpoint: api.endpoint, detail });
  }
  note('key', true, `accepted for ${whoami.server.name} (fingerprint ${whoami.fingerprint}, ${whoami.slot})`);

  const control = await askWhoami(target, createCredential(randomLike(api)));
  if (control.kind === 'refused') note('control', true, 'a random key of the same shape is refused');
  else {
    note('control', false, control.kind === 'forbidden' ? 'a random key was answered 403, not 401' : 'a random key was accepted');
    const code = control.kind === 'forbidden' ? 'SERVICE_UNEXPECTED' : 'KEY_CONTROL_ACCEPTED';
    throw new ScoutError(code, { endpoint: api.endpoint, detail: 'a random key was answered 403, not 401' });
  }
}

function clock(reply: Reply, proof: Proof, problems: Problem[]): void {
  if (reply.skew === undefined) return;
  const seconds = Math.round(reply.skew / 100) / 10;
  proof.skew_seconds = seconds;
  const direction = seconds < 0 ? 'behind' : 'ahead of';
  const size = Math.abs(seconds);
  proof.steps.push({ name: 'clock', ok: size <= SKEW_ERROR, detail: `${size} s ${direction} the service` });
  if (size > SKEW_WARNING) problems.push(problem('CLOCK_SKEW', { seconds: size, direction }, {}, size > SKEW_ERROR ? 'error' : 'warning'));
}

/** The same configuration with a credential that nobody issued. */
function randomLike(api: Config['api']): Config['api'] {
  if (authOf(api) === 'jwt') {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    return { ...api, private_key: privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64url') };
  }
  const shape = api.key ?? api.private_key ?? '';
  return { ...api, auth: authOf(api), key: randomText(shape) };
}

/** Random text with the same signs at the same kinds of places: hex stays hex. */
function randomText(shape: string): string {
  const hex = /^[0-9a-fA-F]+$/.test(shape);
  const pick = (from: string) => from[randomInt(from.length)] as string;
  return [...shape]
    .map((c) =>
      hex ? pick('0123456789abcdef') : /\d/.test(c) ? pick('0123456789') : /[a-z]/i.test(c) ? pick('abcdefghijklmnopqrstuvwxyz') : c,
    )
    .join('');
}

function tlsTexts(tls: Config['tls']): Connection['tls'] {
  const read = (file: string | undefined) => (file === undefined ? undefined : readFileSync(file, 'utf8'));
  const [ca, cert, key] = [read(tls.ca_file), read(tls.cert_file), read(tls.key_file)];
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(tls.key_passphrase !== undefined && { passphrase: tls.key_passphrase }),
  };
}
