import { createHash, X509Certificate } from 'node:crypto';
import { authoritySchema, type Enrolled, type Enrollment, enrolledSchema } from '../protocol/enroll.ts';
import { PATHS } from '../protocol/wire.ts';
import { ScoutError } from '../support/errors.ts';
import { addressOf, type Connection } from './connect.ts';
import type { Credential } from './credential.ts';
import { ask } from './request.ts';

/** Who has no key yet. */
const NOBODY: Credential = { fingerprint: 'none', headers: () => ({}) };

/**
 * The certificate (PEM) of the authority that a token tells by its SHA-256. It is fetched over a connection that is not
 * trusted, and carries nothing of ours: its content proves it. Throws ENROLL_AUTHORITY, and what `ask` throws.
 */
export async function fetchAuthority(target: Connection, sha256: string): Promise<string> {
  const heard = await ask({ ...target, tls: { ...target.tls, rejectUnauthorized: false } }, NOBODY, {
    method: 'GET',
    path: PATHS.authority,
  });
  const fail = (detail: string) => new ScoutError('ENROLL_AUTHORITY', { endpoint: addressOf(target.endpoint), detail });
  if (heard.kind === 'problem') throw fail(`${heard.problem.detail} (${heard.status})`);
  if (heard.kind === 'absent') throw fail(heard.detail);
  const certificate = parse(authoritySchema.safeParse(heard.body).data?.certificate);
  if (!certificate) throw fail('it gave no certificate');
  if (createHash('sha256').update(certificate.raw).digest('hex') !== sha256)
    throw fail('the certificate that it gave is not the one that the token tells of');
  // Written anew: whatever else stood in the text was not compared.
  return certificate.toString();
}

/**
 * Has the service take a key that was made here. Throws ENROLL_REFUSED when it says no, which leaves nothing behind there;
 * what `ask` throws, else, leaves it open.
 */
export async function askToEnroll(target: Connection, asked: Enrollment): Promise<Enrolled> {
  const heard = await ask(target, NOBODY, { method: 'POST', path: PATHS.enroll, body: JSON.stringify(asked) });
  const endpoint = addressOf(target.endpoint);
  const unexpected = (detail: string) => new ScoutError('SERVICE_UNEXPECTED', { endpoint, detail });
  if (heard.kind === 'absent') throw unexpected(heard.detail);
  if (heard.kind === 'problem') {
    const { status, problem } = heard;
    if (status === 403 || status === 409) throw new ScoutError('ENROLL_REFUSED', { endpoint, detail: problem.detail });
    throw unexpected(`${problem.detail} (${status})`);
  }
  const parsed = enrolledSchema.safeParse(heard.body);
  if (!parsed.success) throw unexpected('JSON came with 200 that is not what enrolling is answered with; it may have been carried out');
  if (parsed.data.fingerprint !== asked.sha256.slice(0, 12))
    throw unexpected('it says that it took another key than the one that was sent');
  return parsed.data;
}

function parse(text: string | undefined): X509Certificate | undefined {
  try {
    return text === undefined ? undefined : new X509Certificate(text);
  } catch {
    return undefined;
  }
}
