import { EXIT, row } from './error-row.ts';

/** The part of the error table that is about replacing a credential; `errors.ts` has the rest. */
export const ROTATION_ERRORS = {
  ROTATE_BUSY: row(
    EXIT.again,
    'another rotation is under way in {path} (process {pid})',
    'Wait for it to end; `scout-agent rotate --explain` tells where it stands.',
  ),
  ROTATE_PLACES: row(
    EXIT.config,
    'the settings {names} stand in different files and cannot be replaced in one step',
    'Put them into one file.',
  ),
  ROTATE_NO_SOURCE: row(
    EXIT.usage,
    '{endpoint} makes and registers no keys for agents',
    'Make a key there by hand, and give it: scout-agent rotate --new-key-stdin',
  ),
  ROTATE_SOURCE: row(EXIT.usage, '{detail}', 'See `scout-agent rotate --help`.'),
  ROTATE_GAP: row(
    EXIT.failed,
    '{endpoint} ends the old key before it answers with the new one: an answer that gets lost would leave this host without a key',
    'Use `scout-agent rotate --self` where the service registers keys, or accept the risk with --accept-gap.',
  ),
  ROTATE_KEY_MISSING: row(
    EXIT.usage,
    'no new key was given',
    'Type it on the prompt of a terminal, or give it on stdin: scout-agent rotate --new-key-stdin < FILE',
  ),
  ROTATE_SAME: row(EXIT.failed, 'this is the key that is in use already (fingerprint {fingerprint})', 'Give the new one.'),
  ROTATE_OTHER_SERVER: row(
    EXIT.refused,
    'the new key {fingerprint} belongs to {found}, and this host is {expected}',
    'Make a key for this host, of its own organisation. Nothing was changed.',
  ),
  ROTATE_NEW_REFUSED: row(
    EXIT.refused,
    '{endpoint} refused the new key {fingerprint} (401): {detail}',
    'Check that it is of this service and was copied whole{hint}. The old key stays in use.',
  ),
  ROTATE_OLD_REFUSED: row(
    EXIT.refused,
    '{endpoint} refuses the key in use, {fingerprint} (401), so it cannot be asked for another',
    'Make a key at the service, and give it: scout-agent rotate --new-key-stdin',
  ),
  ROTATE_IN_USE: row(
    EXIT.failed,
    '{endpoint} does not end the old key {fingerprint}, which others use: {detail}',
    'This host sends with its new key. Once the others do so too: scout-agent rotate --retire-now',
  ),
  ROTATE_DECLINED: row(
    EXIT.failed,
    '{endpoint} does not do this: {detail}',
    'The old key stays in use. `scout-agent rotate --dry-run` tells what the service offers.',
  ),
  ROTATE_UNDECIDED: row(
    EXIT.unreachable,
    'the rotation stands at {state}: {detail}',
    'Nothing is lost. Run `scout-agent rotate` again: it goes on from there.',
  ),
  ROTATE_LOST: row(
    EXIT.refused,
    '{endpoint} has ended the old key {fingerprint}, and its answer with the new one was lost',
    'Make a new key at the service, and give it: scout-agent rotate --new-key-stdin. Heartbeats wait in the outbox.',
  ),
  ROTATE_OVERTAKEN: row(
    EXIT.failed,
    'the configuration was given another key meanwhile; that one stays, and the rotation ends',
    'Look at `scout-agent rotate --explain`; begin another rotation if one is still wanted.',
  ),
  ROTATE_NOT_ADOPTED: row(
    EXIT.failed,
    'the configuration holds the new key {fingerprint}, but the running agent does not send with it: {detail}',
    'Look at `scout-agent status`; run `scout-agent rotate` again once it is mended, or go back: scout-agent rotate --rollback. The old key is kept.',
  ),
  ROTATE_NO_PREVIOUS: row(EXIT.failed, 'there is no key to go back to: {detail}', 'Nothing was changed.'),
  ROTATE_NOTHING_TO_RETIRE: row(EXIT.failed, 'there is no old key to retire', 'See `scout-agent rotate --explain`.'),
  KEYRING_DAMAGED: row(
    EXIT.failed,
    '{path} cannot be read: {detail}',
    'The key in the configuration goes on working. Move the file aside to begin a new keyring; keys that only it holds are lost then.',
  ),
  KEYRING_SEALED: row(
    EXIT.failed,
    'a key in {path} does not open here: {detail}',
    'Run the command as the user who ran the last `rotate`, or bring back the host key of then. Where neither can be, give another key: scout-agent rotate --new-key-stdin',
  ),
  ROTATE_AGENT_ENVIRONMENT: row(
    EXIT.config,
    'the running agent (process {pid}) has its key from the variable {variable} of its environment, which stays as it is until it ends',
    'Take `EnvironmentFile=`, or the variable, out of what starts it (the agent reads {path} by itself), restart it once, and run the command again. Nothing was changed.',
  ),
  AUDIT_BROKEN: row(
    EXIT.failed,
    '{path}, line {line}: {detail}',
    'Compare it with a backup; whoever edited it could write to the state folder.',
  ),
  AUDIT_ABSENT: row(
    EXIT.failed,
    'there is no audit log at {path}',
    'It begins with the first rotation; or name the folder with --state-dir.',
  ),
} as const;
