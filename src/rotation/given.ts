import type { Config } from '../config/schema.ts';
import { checkKey } from '../credentials/key.ts';
import { parsePrivateKey, thumbprint } from '../credentials/private-key.ts';
import type { Values } from '../credentials/values.ts';
import { ScoutError } from '../support/errors.ts';

const NAME = 'the new key';

/**
 * A credential that a person gives in the place of `current`, checked for its form: what is wrong with it is said before
 * anything is begun. Throws the KEY_ errors, PRIVATE_KEY and ROTATE_SOURCE.
 */
export function givenValues(api: Config['api'], current: Values, text: string, credentialId: string | undefined): Values {
  if (!('api.private_key' in current)) {
    if (credentialId !== undefined)
      throw new ScoutError('ROTATE_SOURCE', { detail: '--credential-id is for organisation credentials; this is an API key' });
    const format = api.key_format === 'auto' ? 'hex64' : api.key_format;
    const [fault] = checkKey(NAME, text, format);
    if (fault) throw ScoutError.of(fault);
    return { 'api.key': text };
  }
  const { key, text: line } = parsePrivateKey(text, NAME);
  return {
    ...current,
    'api.private_key': line,
    ...(credentialId !== undefined && { 'api.credential_id': credentialId }),
    ...('api.kid' in current && { 'api.kid': thumbprint(key).toString('base64url') }),
  };
}
