import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { AgentStatus } from '../../../src/agent/control.ts';
import type { Patient } from '../../../src/cli/doctor/patient.ts';
import { judgeRefusal } from '../../../src/cli/doctor/refusal.ts';
import { EMPTY_KEYRING } from '../../../src/credentials/keyring.ts';
import { keyringText } from '../../../src/credentials/keyring-file.ts';
import { problem } from '../../../src/support/errors.ts';

const folder = mkdtempSync(join(os.tmpdir(), 'scout-refusal-'));
afterAll(() => rmSync(folder, { recursive: true }));
const print = randomBytes(6).toString('hex');
const endpoint = 'https://hub.example';
const error = problem('KEY_REFUSED', { endpoint, fingerprint: print });
const patient = (more: Partial<Patient> = {}): Patient =>
  ({
    configured: print,
    state: folder,
    agent: { kind: 'dead' },
    resolution: { ok: true, file: null, values: [], problems: [], watch: [], config: { api: { endpoint } } },
    ...more,
  }) as unknown as Patient;
const keyring = (of: string) => {
  const current = { fingerprint: print, origin: 'made' as const, values: {}, since: '2026-01-01T00:00:00Z', valid_until: null };
  const kept = { ...EMPTY_KEYRING, service: { endpoint: of, service_id: null, server_id: null }, current };
  writeFileSync(join(folder, 'keyring.json'), keyringText(kept));
};

describe('a key that the service refuses', () => {
  it.each(['The key is disabled.', 'it was valid until 2026', 'This key was revoked', 'expired', 'ended at 2026: it was retired'])(
    'was good once where the service says: %s',
    (detail) => {
      expect(judgeRefusal(detail, error, patient())).toMatchObject({ cause: 'revoked-key', status: 'failed', exit: 77 });
    },
  );

  it('is of another organisation where nothing tells that it was ever taken', () => {
    rmSync(join(folder, 'keyring.json'), { force: true });
    expect(judgeRefusal('refused (401): not known here', error, patient())).toMatchObject({ cause: 'wrong-organisation' });
    keyring('https://other.example');
    expect(judgeRefusal('refused (401): not known here', error, patient())).toMatchObject({ cause: 'wrong-organisation' });
  });

  it('was good once where the keyring has it for this service', () => {
    keyring(`${endpoint}/`);
    expect(judgeRefusal('refused (401): not known here', error, patient())).toMatchObject({ cause: 'revoked-key' });
  });

  it('was good once where the agent had a heartbeat accepted with it', () => {
    rmSync(join(folder, 'keyring.json'), { force: true });
    const destinations = [{ name: 'api', fingerprint: print, last_accepted: { time: '2026-01-01T00:00:00Z', sequence: 1, instance: '' } }];
    const agent = { kind: 'answers' as const, status: { destinations } as unknown as AgentStatus };
    const row = judgeRefusal('refused (401): not known here', error, patient({ agent }));
    expect(row).toMatchObject({ cause: 'revoked-key', detail: expect.stringContaining('accepted with it at 2026-01-01') });
  });
});
