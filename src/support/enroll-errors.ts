import { config, EXIT, type Row, row } from './error-row.ts';

/** The errors of enrolling a host and of moving its configuration; part of the table in errors.ts. Explained in docs/enrol.md. */
export const ENROLL_ERRORS = {
  ENROLL_TOKEN: row(
    EXIT.usage,
    'there is no token to enrol with: {detail}',
    'Copy the whole line that `scout-hub token create` printed, onto the prompt of a terminal or to stdin: scout-agent enroll {endpoint} < FILE',
  ),
  ENROLL_CONFIGURED: row(
    EXIT.failed,
    'this host has a key already: {place}',
    '`scout-agent --check-config --online` tells whether it is good, `scout-agent rotate` replaces it. To enrol all the same, with that configuration set aside: --force',
  ),
  ENROLL_PLACE: row(EXIT.failed, '{path} cannot take the key: {detail}', '{remedy}'),
  ENROLL_OVERRIDDEN: config(
    '`{name}` would not be what was enrolled: it comes from {origin}',
    'Unset or remove it there, and run the command again.',
  ),
  ENROLL_REFUSED: row(
    EXIT.refused,
    '{endpoint} does not take this token: {detail}',
    'Have another one made, on the hub: scout-hub token create --server NAME',
  ),
  ENROLL_AUTHORITY: row(
    EXIT.unreachable,
    'what answers at {endpoint} is not the hub of this token: {detail}',
    'Check the address, and whether something stands between; or give the certificate authority with --ca FILE.',
  ),
  ENROLL_START: row(
    EXIT.failed,
    'the key and the configuration are in their place, but `{command}` failed: {detail}',
    'See journalctl -u scout-agent -n 20, and scout-agent --check-config; then: systemctl enable --now scout-agent',
  ),
  MIGRATE_CONFLICT: row(EXIT.failed, '{path} cannot be moved: {detail}', '{remedy}'),
  MIGRATE_DIFFERS: row(
    EXIT.failed,
    'the configuration would not be the same at {path}: {names} would differ',
    'Nothing was moved. See what stands in conf.d beside it, then run the command again.',
  ),
} as const satisfies Record<string, Row>;
