import { config, EXIT, type Row, row } from './error-row.ts';

/** The errors of sealed values and of changing a configuration; part of the table in errors.ts. Explained in docs/sealed-values.md. */
export const SEALED_ERRORS = {
  HOST_KEY_MISSING: config(
    'the host key {path} is not there, and nothing opens sealed values in its place',
    'Restore it from a backup of this host, or hand it to the service (LoadCredential=host.key:/etc/scout-agent/host.key). Where it is lost, seal the plain value anew: {anew}',
  ),
  HOST_KEY_FLEETING: config(
    'the host key {system} is gone, and {path} is all that is left of it, for as long as the service runs',
    'Put it back before the service stops: install -m 0400 {path} {system}',
  ),
  HOST_KEY_UNREADABLE: row(
    EXIT.refused,
    'the host key {path} cannot be read: {detail}',
    'Run the command as its owner; hand it to the service with LoadCredential=host.key:/etc/scout-agent/host.key in the unit.',
  ),
  HOST_KEY_OPEN: row(EXIT.refused, 'the host key {path} can be read by others (mode {mode})', 'Run: chmod 0400 {path}'),
  HOST_KEY_SIZE: config(
    '{path} has {size} bytes, and a host key has 32',
    'Restore it from a backup of this host. Where it is lost, move it away and seal the plain value anew: mv {path} {path}.bad; {anew}',
  ),
  MACHINE_ID: config(
    'this machine has no id that values could be sealed to: {detail}',
    'Run: systemd-machine-id-setup (without systemd: dbus-uuidgen --ensure=/etc/machine-id)',
  ),
  SEALED_MALFORMED: config(
    '`{name}` is no whole sealed value: {detail}',
    'Copy the whole token again, from enc: to its end; or seal the plain value anew: {again}',
  ),
  SEALED_VERSION: config(
    '`{name}` was sealed in a way that this version does not know ({version})',
    'Use the scout-agent that sealed it, or a newer one; or seal the plain value anew: {again}',
  ),
  SEALED_ELSEWHERE: config(
    '`{name}` was not sealed with {path}, but with another host key: on another host',
    'Seal the plain value on this host: {again}',
  ),
  SEALED_MACHINE: config('`{name}` was sealed when this machine had another machine id', 'Run: {rewrap}'),
  SEALED_FIELD: config(
    '`{name}` holds a value that was sealed for `{other}`',
    'Move it to `{other}`, or seal the plain value for this setting: {again}',
  ),
  SEALED_TAMPERED: config(
    '`{name}` does not open: the token was changed after it was sealed, or cut at copying',
    'Copy the whole token again, or seal the plain value anew: {again}',
  ),
  REWRAP_UNKNOWN: config(
    '`{name}` was sealed under a machine id that {path} does not know',
    'Restore {path} from a backup of this host, or seal the plain value anew: {again}',
  ),
  SEAL_VALUE_MISSING: row(
    EXIT.usage,
    'there is no value to seal: {detail}',
    'Type it on the prompt of a terminal, or give it on stdin: scout-agent encrypt-value --field {field} < FILE',
  ),
  HOST_MACHINES: row(
    EXIT.refused,
    'cannot note this machine in {path}: {detail}',
    'Correct the owner or mode of the folder: without this note `scout-agent rewrap` could not help after the machine id changed.',
  ),

  // --- changing a configuration
  EDIT_REFUSED: row(
    EXIT.failed,
    '`{name}` in {path} cannot be changed safely: {detail}',
    'Nothing was changed. Write the value there yourself; `scout-agent encrypt-value --field {field}` prints a sealed one.',
  ),
  EDIT_RACE: row(EXIT.again, '{path} was changed by somebody else at this moment', 'Nothing was changed here; run the command again.'),
} as const satisfies Record<string, Row>;
