import { ERRORS, EXIT, type Problem } from '../../support/errors.ts';

/** `denied`: this user may not see it. `unsupported`: this machine has nothing of the kind. `stale`: something it asks does not answer. */
export type Status = 'ok' | 'warning' | 'failed' | 'denied' | 'unsupported' | 'stale';

export type Group = 'configuration' | 'permissions' | 'clock' | 'service' | 'agent' | 'outbox' | 'keyring' | 'collectors' | 'dependencies';

/** Why agents do not authenticate, as operators call it; docs/troubleshooting.md has a section for each. */
export type Cause =
  | 'wrong-organisation'
  | 'revoked-key'
  | 'wrong-service-url'
  | 'file-saved-on-another-host'
  | 'agent-not-restarted'
  | 'value-encrypted-on-another-host'
  | 'extra-white-space'
  | 'truncated-key';

/** One thing that was looked at; `doctor --json` prints it without `exit`. */
export interface Finding {
  name: string;
  group: Group;
  status: Status;
  /** What was seen. Holds no secret. */
  detail: string;
  /** What to do; empty where there is nothing to do. */
  remedy: string;
  cause?: Cause;
  /** Exit status that it calls for, where its status does not tell. */
  exit?: number;
}

/** Makes the findings of one group. */
export function findings(group: Group) {
  const add =
    (status: Status) =>
    (name: string, detail: string, remedy = '', more: Pick<Finding, 'cause' | 'exit'> = {}): Finding => ({
      name,
      group,
      status,
      detail,
      remedy,
      ...more,
    });
  return {
    ok: add('ok'),
    warning: add('warning'),
    failed: add('failed'),
    denied: add('denied'),
    unsupported: add('unsupported'),
    stale: add('stale'),
  };
}

/** A fault from the table of errors as a finding. */
export function ofProblem(group: Group, name: string, found: Problem, cause?: Cause): Finding {
  const place = [found.file, found.line, found.column].filter((part) => part !== undefined).join(':');
  const { exit } = ERRORS[found.code];
  const status = found.severity === 'warning' ? 'warning' : DENIED.has(found.code) ? 'denied' : 'failed';
  const detail = place ? `${place}: ${found.message}` : found.message;
  return { name, group, status, detail, remedy: found.remedy, ...(cause && { cause }), ...(status !== 'warning' && { exit }) };
}

/** What another user could see. */
const DENIED = new Set<Problem['code']>(['FILE_UNREADABLE', 'HOST_KEY_UNREADABLE']);

/** Worst first. */
const ORDER = [EXIT.config, EXIT.refused, EXIT.unreachable, EXIT.failed];

/** Exit status of all of them: that of the worst, where a wrong configuration goes first, for most else follows from it. */
export function exitOf(all: Finding[]): number {
  const exits = all.map(({ status, exit }) => {
    if (status === 'ok' || status === 'warning' || status === 'unsupported') return EXIT.done;
    if (exit === EXIT.again) return EXIT.unreachable;
    return exit ?? (status === 'denied' ? EXIT.refused : EXIT.failed);
  });
  return ORDER.find((one) => exits.includes(one)) ?? (exits.some((one) => one !== EXIT.done) ? EXIT.failed : EXIT.done);
}
