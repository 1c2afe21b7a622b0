import { join } from 'node:path';
import type { Candidate } from '../../agent/checker.ts';
import type { Config } from '../../config/schema.ts';
import { endpointOf, KEYRING, type KeptKey, type Keyring, sameAddress } from '../../credentials/keyring.ts';
import { readKeyring } from '../../credentials/keyring-file.ts';
import { type Values, withValues } from '../../credentials/values.ts';
import { bindingId } from '../../secrets/envelope.ts';
import { findHostKey, readHostKey, type Where } from '../../secrets/host-key.ts';
import { sealingMachine } from '../../secrets/machine.ts';
import { type Opening, openSecret } from '../../secrets/open.ts';
import { type Problem, ScoutError } from '../../support/errors.ts';

/** States of a rotation in which the service has the new key, and sources by which it gets it from the rotation itself. */
const TAKEN = ['STAGED', 'PROVEN'];
const MADE = ['made', 'keypair', 'minted'];

/** The keys of the keyring that open here, for the service of this configuration, and a warning when some cannot be had. */
export interface Candidates {
  candidates: Candidate[];
  problems: Problem[];
  /** The keyring's file, to be watched. */
  path: string;
}

/**
 * Opens what the keyring keeps. A keyring that is damaged or may not be read is a warning, since the configured key
 * needs none; keys for another service than the configured one are left out, as that one must not see them.
 */
export function readCandidates(config: Config, opening: Opening): Candidates {
  const path = join(config.state_dir, KEYRING);
  const found: Candidates = { candidates: [], problems: [], path };
  try {
    const keyring = readKeyring(path);
    for (const [slot, key] of slots(keyring)) {
      if (!sameAddress(endpointOf(keyring, key), config.api.endpoint) || 'unproved' in key) continue;
      const values = openValues(key, path, opening);
      if ('problem' in values) found.problems = [{ ...values.problem, severity: 'warning' }];
      else found.candidates.push({ slot, api: settings(config.api, values.values), ...endedFor(slot, keyring.rotation) });
    }
  } catch (error) {
    if (!(error instanceof ScoutError)) throw error;
    found.problems = [{ ...error.problem, severity: 'warning' }];
  }
  return found;
}

/** Which host key opens here what is sealed on this machine, by its id; null where there is none to be had. */
export function hostKeyHere(where: Where): string | null {
  try {
    return bindingId({ hostKey: readHostKey(findHostKey(where), {}), machine: sealingMachine(where.root) });
  } catch (error) {
    if (error instanceof ScoutError) return null;
    throw error;
  }
}

function slots({ current, next, previous, quarantine }: Keyring): [Candidate['slot'], KeptKey][] {
  const kept = { current, next, previous };
  const named = (['current', 'next', 'previous'] as const).flatMap((slot): [Candidate['slot'], KeptKey][] => {
    const key = kept[slot];
    return key ? [[slot, key]] : [];
  });
  const newest = quarantine.toSorted((one, other) => Date.parse(other.since) - Date.parse(one.since));
  return [...named, ...newest.map((key): [Candidate['slot'], KeptKey] => ['quarantine', key])];
}

/** Where the service ends the old key as it takes the new one, a rotation that was cut short after that has left a dead key in the configuration. */
function endedFor(slot: Candidate['slot'], rotation: Keyring['rotation']): Pick<Candidate, 'ended'> {
  if (slot !== 'next' || rotation?.policy !== 'immediate' || !MADE.includes(rotation.source)) return {};
  return TAKEN.includes(rotation.state) ? { ended: rotation.from } : {};
}

function openValues(key: KeptKey, path: string, opening: Opening): { values: Values } | { problem: Problem } {
  const values: Values = {};
  for (const [name, text] of Object.entries(key.values)) {
    const opened = openSecret({ label: `${path}: ${key.fingerprint}`, field: name, text }, opening);
    if (!opened.ok) return { problem: opened.problem };
    values[name] = opened.value;
  }
  return { values };
}

/** A key pair is sent as a token, and a key is not, whatever the configuration holds by now. */
function settings(api: Config['api'], values: Values): Config['api'] {
  const pair = values['api.private_key'] !== undefined;
  const auth = pair === (api.auth === 'jwt') || api.auth === 'bearer' ? api.auth : pair ? 'jwt' : 'api-key';
  return { ...withValues(api, values), ...(auth && { auth }) };
}
