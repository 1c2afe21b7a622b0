import { createHash, X509Certificate } from 'node:crypto';
import type * as z from 'zod';
import { credentialChangeSchema, newCredentialSchema, newTokenSchema } from '../../protocol/management.ts';
import {
  addCredential,
  apiKeyOf,
  deleteCredential,
  enableCredential,
  listCredentials,
  type NewCredential,
  renameCredential,
} from '../credentials/credentials.ts';
import { parsePublicKey } from '../credentials/public-key.ts';
import { createToken, listTokens, revokeToken } from '../enrol/tokens.ts';
import { Refusal } from '../http/problems.ts';
import { bodyOf, param } from '../http/requests.ts';
import type { Router } from '../http/router.ts';
import { ROLE_SCOPES } from '../http/scopes.ts';
import type { Hub } from '../hub.ts';
import { unlessWeak } from '../keys/weak.ts';

/** Mounts the credentials of an organisation, and the tokens by which its new hosts enrol. */
export function mountCredentials(router: Router, hub: Hub): void {
  router.on('GET /api/v1/credentials', async (c) => c.json(await listCredentials(c.get('registry'))));

  router.on('POST /api/v1/credentials', async (c) => {
    const asked = await bodyOf(c, newCredentialSchema, 'invalid');
    const { name, role, scopes, expires_in: life } = asked;
    const beyond = scopes?.find((scope) => !ROLE_SCOPES[role].includes(scope));
    if (beyond !== undefined) throw new Refusal('invalid', `The role ${role} has no scope ${beyond}.`);
    const key = await keyOf(hub, asked);
    const given = { name, key, role, ...(scopes && { scopes }), ...(life !== undefined && { lifeMs: Math.round(life * 1_000) }) };
    return c.json(await addCredential(c.get('registry'), given), 201);
  });

  router.on('PATCH /api/v1/credentials/:name', async (c) => {
    const [registry, name, wanted] = [c.get('registry'), param(c, 'name'), await bodyOf(c, credentialChangeSchema, 'invalid')];
    if ('enabled' in wanted) return c.json(await enableCredential(registry, name, wanted.enabled));
    return c.json(await renameCredential(registry, name, wanted.name));
  });

  router.on('DELETE /api/v1/credentials/:name', async (c) => {
    await deleteCredential(c.get('registry'), param(c, 'name'));
    return c.body(null, 204);
  });

  router.on('GET /api/v1/tokens', async (c) => c.json(await listTokens(c.get('registry'))));

  router.on('POST /api/v1/tokens', async (c) => {
    const { server, policy, grace, expires_in: life } = await bodyOf(c, newTokenSchema, 'invalid');
    const wanted = { server, policy, graceMs: Math.round(grace * 1_000), lifeMs: Math.round(life * 1_000), authority: authorityOf(hub) };
    const { known: _, ...made } = await createToken(c.get('registry'), wanted);
    return c.json(made, 201);
  });

  router.on('DELETE /api/v1/tokens/:fingerprint', async (c) => {
    await revokeToken(c.get('registry'), param(c, 'fingerprint'));
    return c.body(null, 204);
  });
}

/** What the credential is to go by. Throws HUB_PUBLIC_KEY, and a Refusal for the SHA-256 of what can be no key. */
async function keyOf(hub: Hub, asked: z.infer<typeof newCredentialSchema>): Promise<NewCredential['key']> {
  if ('public_key' in asked) return parsePublicKey(asked.public_key, 'public_key');
  if ('make' in asked) return asked.make === 'key-pair' ? 'pair' : 'api-key';
  unlessWeak(asked.sha256);
  if (await hub.store.findKey(asked.sha256)) throw new Refusal('key_exists', 'This key is a server\u2019s; make a new one.');
  return apiKeyOf(asked.sha256);
}

/** SHA-256 of the certificate of the hub's own authority, hex; null where it has none. */
function authorityOf(hub: Hub): string | null {
  const pem = hub.authority?.();
  return pem === undefined ? null : createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');
}
