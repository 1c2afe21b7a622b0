import { join } from 'node:path';
import { openingOf } from '../../config/resolve.ts';
import { KEYRING, type Keyring } from '../../credentials/keyring.ts';
import { readKeyring } from '../../credentials/keyring-file.ts';
import { verifyAudit } from '../../rotation/audit.ts';
import { explain } from '../../rotation/explain.ts';
import { AUDIT } from '../../rotation/store.ts';
import { EXIT, problem, ScoutError } from '../../support/errors.ts';
import { readCandidates } from '../agent/candidates.ts';
import { type Finding, findings, ofProblem } from './finding.ts';
import type { Patient } from './patient.ts';

const { ok, warning, failed } = findings('keyring');

/** The keys beside the configured one: whole, to be opened, and no rotation left half done. */
export function checkKeyring(patient: Patient): Finding[] {
  const path = join(patient.state, KEYRING);
  let keyring: Keyring;
  try {
    keyring = readKeyring(path);
  } catch (error) {
    if (error instanceof ScoutError) return [ofProblem('keyring', 'keyring', error.problem)];
    throw error;
  }
  const kept = [keyring.current, keyring.next, keyring.previous, ...keyring.quarantine].filter((key) => key !== null);
  const whole = kept.length === 0 ? 'no key was rotated on this host yet' : `${path}: ${kept.length} keys, whole`;
  return [ok('keyring', whole), ...opened(patient), ...rotation(patient, keyring), ...previous(patient), ...audit(patient, keyring)];
}

/** What would be tried after a refusal must open here. */
function opened({ resolution: { config }, resolving }: Patient): Finding[] {
  if (!config) return [];
  return readCandidates(config, openingOf(resolving)).problems.map((found) => ofProblem('keyring', 'keys', found));
}

function rotation({ configured, now }: Patient, keyring: Keyring): Finding[] {
  const { state, since, from, to, what, safe_next, problem: stopped } = explain(keyring, { configured: configured ?? null, now });
  if (state === 'IDLE') return [ok('rotation', 'none is under way')];
  const text = `${state} since ${since}: ${from} → ${to ?? 'a new key'}. ${what}`;
  if (state === 'RETIRING') return [ok('rotation', text)];
  return [warning('rotation', stopped ? `${text} It was stopped by this: ${stopped}` : text, safe_next)];
}

function previous({ agent }: Patient): Finding[] {
  if (agent.kind !== 'answers' || agent.status.key.from !== 'previous') return [];
  return [
    failed(
      'previous key',
      'the agent reports with the key before the configured one, which the service refused',
      'Set api.key to the current key before this one ends too; scout-agent rotate --explain tells what there is.',
      {
        exit: EXIT.refused,
      },
    ),
  ];
}

function audit({ state }: Patient, keyring: Keyring): Finding[] {
  const path = join(state, AUDIT);
  try {
    const { lines, fault } = verifyAudit(path, keyring.audit);
    if (!fault) return [ok('audit log', `${lines} lines, unbroken`)];
    return [ofProblem('keyring', 'audit log', problem('AUDIT_BROKEN', { path, line: fault.at, detail: fault.detail }))];
  } catch (error) {
    if (!(error instanceof ScoutError)) throw error;
    // There is none before the first rotation.
    if (error.code === 'AUDIT_ABSENT') return [];
    return [ofProblem('keyring', 'audit log', error.problem)];
  }
}
