import { randomUUID } from 'node:crypto';
import { type Enrolled, type Enrollment, readToken } from '../../protocol/enroll.ts';
import { ScoutError } from '../../support/errors.ts';
import { Refusal } from '../http/problems.ts';
import type { Hub } from '../hub.ts';
import { auditDetailOf, rowOf } from '../keys/changes.ts';
import { bringIn, works } from '../keys/policies.ts';
import { unlessWeak } from '../keys/weak.ts';
import { fingerprintOf, rfc3339 } from '../servers.ts';
import type { Enrolment, Server, ServerKey, Token } from '../store/store.ts';
import { fingerprintOfToken, hashToken } from './tokens.ts';

/**
 * Takes the key of a host that has a token: registers the server where there is none of the token's name, else brings the
 * key in as that server's policy says. The same token with the same key is answered alike for as long as it is good, since
 * an answer may get lost. Throws a Refusal: token_refused, key_exists, key_invalid.
 */
export async function enroll(hub: Pick<Hub, 'store' | 'now' | 'serviceId'>, asked: Enrollment, address: string): Promise<Enrolled> {
  const secret = readToken(asked.token)?.secret;
  if (secret === undefined) throw new Refusal('token_refused', 'This is no token, or not a whole one.');
  unlessWeak(asked.sha256);
  const now = hub.now();
  let enrolled: Server | undefined;
  try {
    await hub.store.enroll(hashToken(secret), (token, server, keys) => {
      const good = unlessRefused(token, asked.sha256, now);
      const decided = decide(good, server, keys, { ...asked, address, now });
      enrolled = decided?.register ?? server;
      return decided;
    });
  } catch (error) {
    const code = error instanceof ScoutError ? error.code : undefined;
    if (code === 'HUB_KEY_EXISTS') throw new Refusal('key_exists', 'This key is another server\u2019s; make a new one.');
    if (code === 'HUB_KEY_ENDED') throw new Refusal('key_exists', 'This key was in use before and has ended; make a new one.');
    throw error;
  }
  const { id, name, policy } = enrolled as Server;
  return { server_id: id, name, policy, service_id: hub.serviceId, fingerprint: fingerprintOf({ hash: asked.sha256 }) };
}

/** The token, if it is good for this key. Whoever has its secret may hear what became of it. */
function unlessRefused(token: Token | undefined, sha256: string, now: number): Token {
  const no = (detail: string) => new Refusal('token_refused', `${detail}.`);
  if (!token) throw no('This token is not known here');
  if (token.usedAt !== null && token.usedFor !== sha256) {
    const used = fingerprintOf({ hash: token.usedFor ?? '' });
    throw no(`This token was used at ${rfc3339(token.usedAt)}, for the key with fingerprint ${used}`);
  }
  if (token.expiresAt <= now) throw no(`This token expired at ${rfc3339(token.expiresAt)}`);
  return token;
}

interface Asked extends Enrollment {
  address: string;
  now: number;
}

/** What enrolling changes; undefined where it has been done. Throws a Refusal: key_exists, token_refused. */
function decide(token: Token, server: Server | undefined, keys: ServerKey[], asked: Asked): Enrolment | undefined {
  const { sha256, now } = asked;
  const own = keys.find((key) => key.hash === sha256);
  if (own && !works(own, now)) throw new Refusal('key_exists', 'This was a key of this server and has ended; make a new one.');
  if (token.usedAt !== null) {
    if (own) return undefined;
    throw new Refusal('key_exists', 'The key that this token was used for has ended since; ask for another token.');
  }
  const { org, serverName: name, policy, graceMs } = token;
  const into: Server = server ?? { id: randomUUID(), org, name, policy, graceMs, createdAt: now };
  const fresh = rowOf(into.id, sha256, now);
  // Taken already by another token, whose answer was lost: then only this one is used up.
  const change = own ? { put: [], drop: [] } : bringIn(into, keys, fresh, now);
  const detail = {
    token: fingerprintOfToken(token),
    host: asked.host_name,
    ...(!server && { registered: `policy ${policy}` }),
    ...auditDetailOf(change, keys, [own ?? fresh]),
  };
  return {
    ...change,
    ended: { at: now, how: 'replaced' },
    token: { ...token, usedAt: now, usedFor: sha256 },
    ...(!server && { register: into }),
    audit: {
      org,
      at: now,
      actor: `token:${fingerprintOfToken(token)}`,
      action: 'server.enroll',
      subject: `server:${name}`,
      detail,
      address: asked.address,
    },
  };
}
