import type { Problem } from '../../support/errors.ts';
import { type Cause, type Finding, findings, ofProblem } from './finding.ts';
import type { Patient } from './patient.ts';

const { ok } = findings('configuration');

/** The check, a row for each of its findings, and one for the whole where it passes. */
export function checkConfiguration({ resolution, configured }: Patient): Finding[] {
  const { file, problems, values } = resolution;
  const rows = problems.map((found) => ofProblem('configuration', found.code, found, causeOf(found)));
  if (!resolution.ok) return rows;
  const key = configured ? `, key with fingerprint ${configured}` : '';
  return [ok('check', `${file ?? 'from the environment alone'}: ${values.length} settings${key}`), ...rows];
}

/** Which of the operators' causes a fault of the configuration is. */
function causeOf({ code, remedy }: Problem): Cause | undefined {
  switch (code) {
    case 'KEY_WHITESPACE':
      return 'extra-white-space';
    case 'KEY_SHORT':
      return 'truncated-key';
    case 'KEY_LENGTH':
      return remedy.includes('too short') ? 'truncated-key' : undefined;
    case 'SEALED_ELSEWHERE':
    // A sealed value on a host that never sealed one came from another.
    case 'HOST_KEY_MISSING':
      return 'value-encrypted-on-another-host';
    default:
      return undefined;
  }
}
