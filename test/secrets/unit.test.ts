import { expect, it } from 'vitest';
import { loadsHostKey } from '../../src/secrets/unit.ts';

const SHIPPED = `[Service]
# LoadCredential=host.key:/dev/null
LoadCredential=host.key:/nowhere/host.key
SetCredential=host.key:none
`;

it.each([
  ['the shipped line, and no such file', SHIPPED, false],
  ['a file that is there', 'LoadCredential=host.key:/dev/null', true],
  ['one that is encrypted, in a drop-in', `${SHIPPED}LoadCredential=\nLoadCredentialEncrypted=host.key:/dev/null\n`, true],
  ['a drop-in that takes back what was there', 'LoadCredential=host.key:/dev/null\nLoadCredential=\n', false],
  ['one that is encrypted and gone', 'LoadCredentialEncrypted=host.key:/nowhere/host.key.cred', false],
  ['one in the unit itself', 'SetCredentialEncrypted=host.key: \\\n  abc', true],
  ['a name without a path', 'LoadCredential=host.key', true],
  ['another credential', 'LoadCredential=api-key:/dev/null', false],
])('a host key at the next start: %s', (_, text, loads) => {
  expect(loadsHostKey(text)).toBe(loads);
});
