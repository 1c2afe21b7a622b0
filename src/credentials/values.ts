import type { Config } from '../config/schema.ts';
import { fingerprint } from '../support/fingerprint.ts';
import { parsePrivateKey, thumbprint } from './private-key.ts';

/** The settings that make up a credential, by name: `api.key`, or `api.private_key` with `api.credential_id` and `api.kid`. */
export type Values = Record<string, string>;

/** Those of them that are secret, and sealed wherever they are kept. */
export const SECRET_VALUES: readonly string[] = ['api.key', 'api.private_key'];

/** The values of a configuration's credential, as far as they are set. */
export function valuesOf(api: Config['api'], signed: boolean): Values {
  const names = signed ? (['private_key', 'credential_id', 'kid'] as const) : (['key'] as const);
  return Object.fromEntries(names.flatMap((name) => (api[name] === undefined ? [] : [[`api.${name}`, api[name] as string]])));
}

/** The settings of `api` with this credential in the place of theirs. */
export function withValues(api: Config['api'], values: Values): Config['api'] {
  const { key: _key, private_key: _private, credential_id: _id, kid: _kid, ...rest } = api;
  const named = Object.entries(values).map(([name, value]) => [name.replace(/^api\./, ''), value]);
  return { ...rest, ...Object.fromEntries(named) };
}

/** What people are shown of it: of a key pair, the beginning of the public key's thumbprint. Throws PRIVATE_KEY. */
export function fingerprintOf(values: Values): string {
  const secret = values['api.private_key'];
  if (secret === undefined) return fingerprint(values['api.key'] ?? '');
  return thumbprint(parsePrivateKey(secret).key).toString('hex').slice(0, 12);
}

/** Whether two are the same credential, however it is written. */
export function sameValues(one: Values, other: Values): boolean {
  return fingerprintOf(one) === fingerprintOf(other) && one['api.credential_id'] === other['api.credential_id'];
}
