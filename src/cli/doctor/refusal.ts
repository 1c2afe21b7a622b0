import { statSync } from 'node:fs';
import { join } from 'node:path';
import { KEYRING } from '../../credentials/keyring.ts';
import { readKeyring } from '../../credentials/keyring-file.ts';
import { readAudit } from '../../rotation/audit.ts';
import { AUDIT } from '../../rotation/store.ts';
import type { Problem } from '../../support/errors.ts';
import { type Finding, ofProblem } from './finding.ts';
import type { Patient } from './patient.ts';

/** What services say of a key that they knew. */
const ENDED = /\b(ended|disabled|revoked|expired|retired|replaced|deleted|was valid until|no longer valid)\b/i;

/**
 * A 401 says only that the service does not want the key. Whether it was revoked, or never was a key of this
 * organisation, shows in what the service adds, and in what this host remembers of it.
 */
export function judgeRefusal(detail: string, error: Problem, patient: Patient): Finding {
  const { configured } = patient;
  const remembered = ENDED.test(detail) ? 'the service says so' : configured && memoryOf(configured, patient);
  const said = detail.replace(/\.$/, '');
  const fingerprint = configured ? ` (fingerprint ${configured})` : '';
  if (remembered)
    return {
      ...ofProblem('service', 'key', error, 'revoked-key'),
      detail: `${said}. The key${fingerprint} was good once: ${remembered}${sinceText(patient)}`,
      remedy:
        'Set api.key to the current key of this host. Where you have set it already, it was saved in another file or on another host.',
    };
  return {
    ...ofProblem('service', 'key', error, 'wrong-organisation'),
    detail: `${said}. Nothing here tells that this service ever took the key${fingerprint}`,
    remedy: 'Compare the fingerprint with those that the service lists: the key is of another organisation or service, or was mistyped.',
  };
}

/** Where this host remembers that the key was used with this service. */
function memoryOf(fingerprint: string, { resolution, state, agent }: Patient): string | undefined {
  const endpoint = resolution.config?.api.endpoint;
  if (agent.kind === 'answers')
    for (const { name, fingerprint: used, last_accepted: last } of agent.status.destinations)
      if (name === 'api' && used === fingerprint && last) return `a heartbeat was accepted with it at ${last.time}`;
  try {
    const { service, current, next, previous, quarantine } = readKeyring(join(state, KEYRING));
    if (!service || !endpoint || plain(service.endpoint) !== plain(endpoint)) return undefined;
    if ([current, next, previous, ...quarantine].some((key) => key?.fingerprint === fingerprint)) return 'the keyring has it';
    if (readAudit(join(state, AUDIT)).some(({ line }) => line?.from === fingerprint || line?.to === fingerprint))
      return 'the audit log names it';
  } catch {
    // No keyring, or none that can be read: nothing is remembered, and the keyring's own rows tell why.
  }
  return undefined;
}

const plain = (endpoint: string): string => endpoint.replace(/\/+$/, '').toLowerCase();

function sinceText({ resolution: { file } }: Patient): string {
  try {
    return file ? `; ${file} was last changed on ${statSync(file).mtime.toISOString()}` : '';
  } catch {
    return '';
  }
}
