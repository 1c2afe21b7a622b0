import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { addCredential, enableCredential } from '../../src/hub/credentials/credentials.ts';
import { parsePublicKey } from '../../src/hub/credentials/public-key.ts';
import { AGENT, run } from '../helpers/programs.ts';
import { TestHub } from '../hub/helpers.ts';

let hub: TestHub;
beforeEach(async () => {
  hub = await new TestHub().start();
});
afterEach(() => hub.close());

it('an agent with a credential of the organisation reports, by token and by the private key; disabled it is refused, enabled it recovers', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const registry = hub.registry;
  const key = parsePublicKey(publicKey.export({ format: 'pem', type: 'spki' }) as string, 'f');
  const { credential_id, fingerprint } = await addCredential(registry, { name: 'ci', key, role: 'member' });
  const home = join(hub.folder.path, 'agent');
  for (const name of ['', 'state', 'run']) mkdirSync(join(home, name), { mode: 0o700 });
  const secret = join(home, 'ci.pem');
  writeFileSync(secret, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  const beat = (auth: string) => {
    const config = join(home, `${auth}.yml`);
    const api = { endpoint: `https://127.0.0.1:${hub.serving.port}`, auth, private_key_file: secret, credential_id };
    const all = { api, tls: { ca_file: join(hub.folder.path, 'ca.pem') }, state_dir: join(home, 'state'), runtime_dir: join(home, 'run') };
    writeFileSync(config, JSON.stringify({ ...all, host_name: 'db-1.example' }), { mode: 0o600 });
    return run(AGENT, ['heartbeat', '--config', config]);
  };
  expect(await beat('jwt')).toMatchObject({ status: 0, stdout: expect.stringContaining(fingerprint) });
  await enableCredential(registry, 'ci', false);
  expect(await beat('jwt')).toMatchObject({ status: 77, stderr: expect.stringContaining('KEY_REFUSED') });
  await enableCredential(registry, 'ci', true);
  expect((await beat('jwt')).status).toBe(0);
  expect((await beat('bearer')).status).toBe(0);
  // The one that was refused waited in the outbox.
  expect(await registry.store.standing('default', 'db-1.example')).toMatchObject({ accepted: 4, key: { fingerprint } });
}, 60_000);
