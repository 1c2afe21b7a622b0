import { credentialOf } from '../rows.ts';
import type { Edit, OrgCredential } from '../store.ts';
import { appendAudit } from './audit.ts';
import type { Sql } from './client.ts';
import { unlessTaken } from './faults.ts';
import { lockOrganisation } from './organisations.ts';

/** Credentials of an organisation, by name. */
export async function credentials(sql: Sql, org: string): Promise<OrgCredential[]> {
  return (await sql`SELECT * FROM credentials WHERE org = ${org} ORDER BY name`).map(credentialOf);
}

export async function credentialByKid(sql: Sql, kid: string): Promise<OrgCredential | undefined> {
  const [row] = await sql`SELECT * FROM credentials WHERE kid = ${kid}`;
  return row && credentialOf(row);
}

/** Changes the credentials of an organisation with what `decide` makes of them, in the caller's transaction. */
export async function changeCredentials(sql: Sql, org: string, decide: (all: OrgCredential[]) => Edit<OrgCredential>): Promise<void> {
  await lockOrganisation(sql, org);
  const { put = [], drop = [], audit } = decide(await credentials(sql, org));
  if (drop.length > 0) await sql`DELETE FROM credentials WHERE org = ${org} AND id = ANY(${sql.types.texts(drop)})`;
  for (const one of put) await write(sql, one);
  await appendAudit(sql, audit);
}

async function write(sql: Sql, one: OrgCredential): Promise<void> {
  const { id, org, name, role, kid, publicKey, enabled, createdAt, expiresAt, lastUsed } = one;
  const insert = () => sql`
    INSERT INTO credentials (id, org, name, role, scopes, kid, public_key, enabled, created_at, expires_at, last_used)
    VALUES (${id}, ${org}, ${name}, ${role}, ${JSON.stringify(one.scopes)}, ${kid}, ${publicKey}, ${enabled}, ${createdAt},
      ${expiresAt}, ${lastUsed})
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, role = excluded.role, scopes = excluded.scopes,
      kid = excluded.kid, public_key = excluded.public_key, enabled = excluded.enabled, created_at = excluded.created_at,
      expires_at = excluded.expires_at, last_used = excluded.last_used`;
  const unlessKid = () => unlessTaken('credentials_kid', 'HUB_CREDENTIAL_EXISTS', { what: 'this key' }, insert);
  await unlessTaken('credentials_name', 'HUB_CREDENTIAL_EXISTS', { what: `the name \`${name}\`` }, unlessKid);
}
