import { EXIT, row } from './error-row.ts';

/** The part of the error table that is about the hub; `errors.ts` has the rest. */
export const HUB_ERRORS = {
  HUB_TLS_CHOICE: row(
    EXIT.usage,
    'scout-hub serves HTTPS only: no certificate was named',
    'Give --tls-cert FILE --tls-key FILE, or --tls-self-signed.',
  ),
  HUB_TLS_FILE: row(
    EXIT.config,
    'cannot serve with {path}: {detail}',
    'Give a certificate and its own key, both PEM, readable by the hub.',
  ),
  HUB_ORGANISATION_EXISTS: row(EXIT.failed, 'an organisation named `{name}` exists already', 'Choose another name.'),
  HUB_ORGANISATION_UNKNOWN: row(EXIT.failed, 'there is no organisation named `{name}`', 'See: scout-hub org list'),
  HUB_ORGANISATION_NAME: row(
    EXIT.usage,
    'this is not a name for an organisation',
    'Use up to 63 letters, digits and . _ -, a letter or digit first, and not what looks like a key.',
  ),
  HUB_ORGANISATION_IN_USE: row(
    EXIT.failed,
    'the organisation cannot be removed: it is the default one, or it has servers ({servers})',
    'Remove its servers first: scout-hub server list --org NAME, scout-hub server remove --org NAME SERVER',
  ),
  HUB_SERVER_EXISTS: row(
    EXIT.failed,
    'a server named `{name}` exists already',
    'Choose another name, or remove it first: scout-hub server remove {name}',
  ),
  HUB_SERVER_UNKNOWN: row(EXIT.failed, 'there is no server named `{name}`', 'See: scout-hub server list'),
  HUB_SERVER_NAME: row(
    EXIT.usage,
    'this is not a name for a server',
    'Use up to 128 letters, digits, spaces and . _ : @ -, a letter or digit first, and not what looks like a key.',
  ),
  HUB_USER_NAME: row(EXIT.usage, 'this is not a name for a user', 'Use up to 128 letters, digits and . _ @ -, a letter or digit first.'),
  HUB_DATA: row(EXIT.failed, 'cannot use the data in {path}: {detail}', 'Correct the folder (--data), its owner and the free space on it.'),
  // Of these two the status of a wrong configuration: the unit does not start it again until somebody has mended it.
  HUB_DATA_NEWER: row(
    EXIT.config,
    'the data is of version {found}, and this scout-hub knows {known}',
    'Use the scout-hub that wrote it, or a newer one; nothing was changed.',
  ),
  HUB_DATA_DAMAGED: row(
    EXIT.config,
    'the database {path} is damaged: {detail}',
    'Nothing was changed. Put the folder aside as it is, restore hub.db from a backup (docs/hub-operations.md), and look at the disk.',
  ),
  HUB_BACKUP: row(
    EXIT.failed,
    'cannot write the backup {path}: {detail}',
    'Name a file that does not exist yet, in a folder that you may write and that has room for it.',
  ),
  HUB_BACKUP_POSTGRES: row(
    EXIT.failed,
    'the data is in PostgreSQL, which has a backup of its own',
    'Run: pg_dump {where} --schema={schema} --format=custom --file={path} {database}',
  ),
  HUB_COPY_BUSY: row(
    EXIT.again,
    'a hub or another command uses {place}',
    'Stop every hub that works on it (systemctl stop scout-hub), and copy again; nothing was changed.',
  ),
  HUB_COPY_NONE: row(EXIT.failed, 'there is no hub in {place}', 'Name the folder of a hub, or its database in PostgreSQL, with --from.'),
  HUB_COPY_NOT_EMPTY: row(
    EXIT.failed,
    'there is a hub in {place} already: {detail}',
    'Name an empty place with --to: a folder without hub.db, or another schema (?schema=NAME); nothing was changed.',
  ),
  HUB_COPY_AUDIT: row(
    EXIT.failed,
    'the audit trail of organisation {org} is broken at line {line}: {detail}',
    'Compare it with a backup first; --accept-broken-audit copies it as it stands. Nothing was changed.',
  ),
  HUB_COPY_DIFFERS: row(
    EXIT.failed,
    'what arrived in {place} is not what was read: {detail}',
    'It was undone, and the source is as it was. Look at the disks of both, and copy again.',
  ),
  HUB_DATABASE: row(
    EXIT.unreachable,
    'cannot use the database {name}: {detail}',
    'Check that PostgreSQL runs there and lets this user in, and that the address (--database or SCOUT_HUB_DATABASE) is right; a hub that runs goes on by itself when the database is back.',
  ),
  HUB_DATABASE_ADDRESS: row(
    EXIT.usage,
    'this is no address of a PostgreSQL database: {detail}',
    'Write postgres://USER@HOST:5432/DATABASE, with the password in SCOUT_HUB_DATABASE, PGPASSWORD or PGPASSFILE.',
  ),
  HUB_SECRET_FILE: row(
    EXIT.config,
    'cannot use the secret in {path}: {detail}',
    'Name a file that the hub can read and others cannot (chmod 600), written as docs/forwarding.md and docs/webhook.md say.',
  ),
  HUB_USER_EXISTS: row(EXIT.failed, 'a user named `{name}` exists already', 'Choose another name.'),
  HUB_USER_UNKNOWN: row(EXIT.failed, 'there is no user named `{name}`', 'See: scout-hub user list'),
  HUB_USER_LAST: row(
    EXIT.failed,
    '`{name}` is the last admin of this organisation',
    'Add another admin first: scout-hub user add NAME --role admin',
  ),
  HUB_PASSWORD_WEAK: row(EXIT.usage, 'the password has {got} characters; at least {least} are needed', 'Choose a longer one.'),
  HUB_LISTEN: row(
    EXIT.failed,
    'cannot listen on {address}: {detail}',
    'Give another --listen HOST:PORT, or end the process that holds it.',
  ),
  HUB_KEY_EXISTS: row(EXIT.failed, 'this key is another server\u2019s already', 'Make a new one; a key belongs to one server.'),
  HUB_KEY_ENDED: row(EXIT.failed, 'this key was in use before and has ended', 'Make a new one; a key that has ended stays ended.'),
  HUB_KEY_UNKNOWN: row(EXIT.failed, 'server `{name}` has no key `{key}`', 'See: scout-hub key list {name}'),
  HUB_KEY_NAME: row(
    EXIT.usage,
    'this is not a name for a key',
    'Use up to 63 letters, digits and . _ : @ -, a letter or digit first; not 12 hexadecimal digits, which would be a fingerprint.',
  ),
  HUB_KEY_NAMED: row(EXIT.failed, 'server `{name}` has a key named `{key}` already', 'Choose another name.'),
  HUB_KEY_POLICY: row(
    EXIT.failed,
    'server `{name}` has the policy {policy}, under which this cannot be done: {detail}',
    'Use `scout-hub key rotate {name}`, or change it: scout-hub server change {name} --policy {wanted}',
  ),
  HUB_KEY_MOVED: row(
    EXIT.failed,
    'the keys of `{name}` have changed since this was asked for',
    'Look at them as they are now, and ask again where it is still wanted.',
  ),
  HUB_FORM: row(EXIT.usage, 'the form was not filled in right: {detail}', 'Go back and correct it.'),
  HUB_KEY_LAST: row(
    EXIT.failed,
    'this is the last key of `{name}` that works: its agent would be shut out',
    'Make another first (scout-hub key rotate {name}), or remove the server; `key disable` and `key delete` do it with --force.',
  ),
  HUB_CREDENTIAL_EXISTS: row(EXIT.failed, 'a credential with {what} exists already', 'Choose another name, or make another key pair.'),
  HUB_CREDENTIAL_UNKNOWN: row(EXIT.failed, 'there is no credential named `{name}`', 'See: scout-hub credential list'),
  HUB_CREDENTIAL_NAME: row(
    EXIT.usage,
    'this is not a name for a credential',
    'Use up to 64 letters, digits and . _ : @ -, a letter or digit first.',
  ),
  HUB_PUBLIC_KEY: row(
    EXIT.failed,
    '{path} is not an RSA public key of 2048 bits or more: {detail}',
    'Give the public half as PEM (openssl pkey -in key.pem -pubout), DER, base64url of that, or a JWK.',
  ),
  HUB_TOKEN_UNKNOWN: row(EXIT.failed, 'there is no token of this fingerprint', 'See: scout-hub token list'),
  HUB_AUDIT_BROKEN: row(
    EXIT.failed,
    'the audit trail is broken at line {line}: {detail}',
    'Compare it with a backup or an earlier export.',
  ),
  HUB_AUDIT_OTHER: row(
    EXIT.failed,
    'the audit trail is whole, but not the one that was kept: {detail}',
    'Lines were cut off its end, or it was written anew: compare it with a backup.',
  ),
  HUB_AUDIT_FILE: row(EXIT.failed, '{path} holds no lines of an audit trail', 'Name a file that `scout-hub audit list --json` wrote.'),
} as const;
