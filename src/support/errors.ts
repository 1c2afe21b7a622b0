/**
 * Every error a user can meet: one row each, with its code, exit status, sentence and remedy.
 * docs/errors.md is generated from this table (`npm run docs`), and a test holds the two together.
 * Sentences take parameters by name in braces; a parameter is never a secret.
 */

import { ENROLL_ERRORS } from './enroll-errors.ts';
import { config, EXIT, type Row, row } from './error-row.ts';
import { HUB_ERRORS } from './hub-errors.ts';
import { ROTATION_ERRORS } from './rotation-errors.ts';
import { SEALED_ERRORS } from './sealed-errors.ts';

export { EXIT };

export const ERRORS = {
  // --- general
  INTERNAL: row(
    EXIT.failed,
    'unexpected failure: {detail}',
    'Please report it, with the output of the same command under SCOUT_LOG_LEVEL=debug.',
  ),
  USAGE: row(EXIT.usage, '{detail}', 'See `{program} --help`.'),
  NODE_TOO_OLD: row(
    EXIT.failed,
    'this is Node {found}, and {program} needs {needed} or newer',
    'Run `npm ci` beside it (it brings the right Node), or install Node {needed}.',
  ),
  FILE_UNREADABLE: row(
    EXIT.refused,
    'cannot read {path}: {detail}',
    'Run the command as a user who may read it, or correct its owner and mode.',
  ),
  FILE_UNWRITABLE: row(
    EXIT.refused,
    'cannot write {path}: {detail}',
    'Run the command as a user who may write there (root?), correct the owner or mode of the folder, free space on it, or name another place.',
  ),

  // --- configuration: finding and reading it
  CONFIG_NOT_FOUND: config(
    'no configuration found; looked at {places}',
    'Create /etc/scout-agent/config.yml (on Windows %ProgramData%\\scout-agent\\config.yml; see docs/configuration.md), or name a file with --config PATH.',
  ),
  CONFIG_MISSING_FILE: config('the configuration {path} cannot be used: {detail}', 'Correct the path ({origin}), or what stands there.'),
  CONFIG_FORMAT_UNKNOWN: config('{path} is neither .toml, .yml, .yaml nor .env', 'Rename the file so that its suffix tells its format.'),
  CONFIG_SYNTAX: config('{format} is not written like this: {detail}', 'Correct the line; nothing was changed.'),
  CONFIG_INDENTATION: config(
    '`{name}` stands at the left margin, below `{parent}:`',
    'It was probably meant to belong to `{parent}:`; indent the line by two spaces.',
  ),
  CONFIG_UNKNOWN_KEY: config('unknown setting `{name}`', 'Did you mean {nearest}?'),
  CONFIG_UNKNOWN_KEY_FAR: config('unknown setting `{name}`', 'Remove it; docs/configuration.md lists every setting.'),
  CONFIG_DUPLICATE: config('`{name}` is set twice: here and at {other}', 'Keep one of the two.'),
  CONFIG_VALUE: config('`{name}` is not valid: {detail}', 'Give {expected}.'),
  CONFIG_CONFLICT: config('`{name}` and `{other}` exclude each other', 'Keep one of the two.'),
  CONFIG_REQUIRED: config('`{name}` is not set, and {because}', 'Set `{name}`{how}.'),
  CONFIG_TOO_LARGE: config('{path} has {size} bytes, far more than any configuration', 'Name the right file.'),
  CONFIG_PERMISSIONS: row(EXIT.refused, '{path} holds a secret and can be read by others (mode {mode})', 'Run: chmod {wanted} {argument}'),
  CONFIG_EXPORT: config(
    'line begins with `export`, which systemd does not read',
    'Remove the word `export`; scout-agent reads the line all the same.',
  ),
  CONFIG_KEY_IN_ENVIRONMENT: config(
    '{name} is set in the environment: it stands in /proc/PID/environ and cannot be rotated by the agent',
    'Put the key into the configuration file, or use api.key_file.',
  ),
  CONFIG_OVERRIDDEN: config(
    '`{name}` in {path} is overridden by the environment variable {variable}',
    'Unset the variable, or remove the line.',
  ),
  CONFIG_TWO_CREDENTIALS: config(
    '`{key}` and `{privateKey}` are both set, and `api.auth` is not: requests are signed with the private key, and the other one is not used',
    'Remove the one that is not meant, or set api.auth to api-key, bearer or jwt.',
  ),
  CONFIG_ENDPOINT_DEFAULT: config(
    'api.endpoint is not set: heartbeats go to a scout-hub on this host ({endpoint})',
    'Set api.endpoint to the address of the service.',
  ),

  // --- keys
  KEY_MISSING: config('no key: `{name}` is not set', 'Set api.key (or SCOUT_API_KEY in agent.env), or api.key_file.'),
  KEY_LENGTH: config(
    '`{name}` has {got} characters, and a key of this service has {expected}',
    'Paste the key again from the service; {hint}.',
  ),
  KEY_CHARACTER: config(
    '`{name}` holds a character that is not hexadecimal, at position {position} of {length}',
    'Paste the key again from the service; it consists of 0-9 and a-f only. For a service with opaque keys set api.key_format = "opaque".',
  ),
  KEY_WHITESPACE: config(
    '`{name}` holds white space at position {position} of {length}: {what}',
    'Remove it; the key itself has none, and stands on one line.',
  ),
  KEY_UNPRINTABLE: config(
    '`{name}` holds a character that no key has, at position {position} of {length}',
    'Paste the key again from the service; it consists of printable ASCII characters.',
  ),
  KEY_SHORT: config('`{name}` has {got} characters, too few for a key', 'Paste the whole key; it was probably cut.'),
  KEY_PLACEHOLDER: config('`{name}` still holds the placeholder of an example', 'Replace it by the key that the service showed.'),
  KEY_FILE: config('`{name}` names {path}, which cannot be used: {detail}', 'Correct the path, or the owner and mode of the file.'),
  KEY_CREDENTIAL: config(
    '`{name}` names the systemd credential `{credential}`, which is not there: {detail}',
    'Add LoadCredential={credential}:PATH (or LoadCredentialEncrypted=) to the unit, or run it under systemd.',
  ),
  KEY_ID: config(
    '`{name}` is not the key id of this private key, which is {thumbprint}',
    'Set `{name}` to that value (the RFC 7638 thumbprint of the public key), or remove it.',
  ),
  PRIVATE_KEY: config(
    '`{name}` is not an RSA private key: {detail}',
    'Give the PKCS#8 key as base64url of its DER, as PEM, or the path of a file in api.private_key_file.',
  ),

  ...SEALED_ERRORS,

  // --- transport
  ENDPOINT_PLAIN_HTTP: config(
    '`{name}` is plain http to {host}: the key would cross the network in clear text',
    'Use https://. Plain http is allowed to 127.0.0.1, [::1] and localhost only.',
  ),
  TLS_FILE: config('`{name}` names {path}, which cannot be used: {detail}', 'Correct the path, or give a PEM file.'),
  SERVICE_UNREACHABLE: row(EXIT.unreachable, 'cannot reach {endpoint}: {detail}', 'Check the address, the network, DNS and the proxy.'),
  SERVICE_TLS: row(
    EXIT.unreachable,
    'no trusted TLS connection to {endpoint}: {detail}',
    'Give the certificate authority of the service in tls.ca_file, or correct the address.',
  ),
  PROXY_AUTH: row(
    EXIT.unreachable,
    'the proxy on the way to {endpoint} refuses us: {detail}',
    'Put user and password of the proxy into `proxy` (http://USER:PASSWORD@HOST:PORT), with %40 for @ and %2F for /, or correct them.',
  ),
  SERVICE_UNEXPECTED: row(
    EXIT.failed,
    '{endpoint} answered in an unexpected way: {detail}',
    'Check that the address is the service itself, not a proxy or a web page.',
  ),
  SERVICE_BUSY: row(EXIT.again, '{endpoint} asks to come back later: {detail}', 'Nothing to do: the agent tries again by itself.'),
  KEY_REFUSED: row(
    EXIT.refused,
    '{endpoint} refused the key with fingerprint {fingerprint} (401)',
    'Check that the key is of this organisation and not revoked, then set api.key to the current one.',
  ),
  KEY_FORBIDDEN: row(
    EXIT.refused,
    '{endpoint} knows the key with fingerprint {fingerprint} but does not permit this (403): {detail}',
    'Ask for the permission, or use a key that has it.',
  ),
  KEY_CONTROL_ACCEPTED: row(
    EXIT.failed,
    '{endpoint} accepts any key: a random one was answered like ours',
    'Check that the address is the service itself; what answers there proves nothing.',
  ),
  CLOCK_SKEW: row(EXIT.failed, 'this clock is {seconds} s {direction} the service', 'Correct the clock (timedatectl set-ntp true).'),

  // --- the running agent
  AGENT_RUNNING: row(
    EXIT.again,
    'an agent (process {pid}) already uses {path}',
    'Stop it with `scout-agent stop`, or give this one folders of its own by --state-dir and --runtime-dir.',
  ),
  AGENT_NOT_RUNNING: row(
    EXIT.failed,
    'no agent answers at {path}',
    'Start it with `systemctl start scout-agent` or `scout-agent --daemon`; on Windows with `Start-Service scout-agent`.',
  ),
  AGENT_SILENT: row(
    EXIT.failed,
    'the agent (process {pid}) runs, and does not answer at {path}',
    'Its log tells what it did last. `scout-agent stop` ends it, also when its socket is gone; then start it again.',
  ),
  HEARTBEAT_WAITS: row(
    EXIT.again,
    'heartbeat {sequence} is in the outbox and not sent yet: {detail}',
    'Nothing to do: the agent sends it by itself. `scout-agent status` shows how far it is.',
  ),
  CONTROL_SOCKET: row(
    EXIT.failed,
    'the control socket {path} cannot be used: {detail}',
    'Name another folder with --runtime-dir, a short one that the agent may write.',
  ),
  AGENT_START: row(EXIT.failed, 'the agent did not come up: {detail}', 'See its log: {log}'),
  AGENT_STOP_TIMEOUT: row(
    EXIT.failed,
    'process {pid} has not ended within {seconds} s',
    'Look at `scout-agent status`; as a last resort end it with kill -9, the outbox is safe.',
  ),
  OUTBOX_DAMAGED: row(
    EXIT.failed,
    '{path} is damaged: {detail}',
    'Start the agent: it sets the store aside, saves what can be read and counts the rest.',
  ),
  PROMETHEUS_LISTEN: row(
    EXIT.failed,
    'cannot listen for Prometheus on {address}: {detail}',
    'Give another prometheus.listen (HOST:PORT), or end the process that holds it.',
  ),
  OUTBOX_ABSENT: row(EXIT.failed, 'there is no outbox at {path}', 'Start the agent once, or name the folder with --state-dir.'),
  BUNDLE_EXISTS: row(EXIT.failed, 'there is something at {path} already', 'Name another file: a bundle replaces none.'),
  COLLECTOR_UNKNOWN: row(EXIT.usage, 'there is no collector `{name}`', 'Known are: {known}.'),

  // --- enrolling, and moving a configuration
  ...ENROLL_ERRORS,

  // --- replacing a credential
  ...ROTATION_ERRORS,

  // --- the hub
  ...HUB_ERRORS,
} as const satisfies Record<string, Row>;

export type ErrorCode = keyof typeof ERRORS;
export type Params = Record<string, string | number>;

/** Where in the user's input a fault lies; lines and columns count from 1. */
export interface Place {
  file?: string;
  line?: number;
  column?: number;
}

/** One fault as `--check-config --json` shows it. */
export interface Problem extends Place {
  code: ErrorCode;
  severity: 'error' | 'warning';
  message: string;
  remedy: string;
}

const fill = (text: string, params: Params): string =>
  text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in params ? String(params[name]) : whole));

/** A fault from the table, with its parameters filled in. */
export function problem(code: ErrorCode, params: Params = {}, place: Place = {}, severity: Problem['severity'] = 'error'): Problem {
  const { message, remedy } = ERRORS[code];
  return { code, severity, message: fill(message, params), remedy: fill(remedy, params), ...place };
}

/** An error the user can act on: it carries its row of the table. Thrown anywhere, printed by the CLI, never with a stack. */
export class ScoutError extends Error {
  readonly problem: Problem;
  readonly exit: number;

  constructor(code: ErrorCode, params: Params = {}, place: Place = {}, options?: ErrorOptions) {
    const found = problem(code, params, place);
    super(found.message, options);
    this.name = 'ScoutError';
    this.problem = found;
    this.exit = ERRORS[code].exit;
  }

  /** The error for a problem that was found elsewhere: in the checker's process. */
  static of(found: Problem): ScoutError {
    const error = new ScoutError(found.code);
    error.message = found.message;
    Object.assign(error.problem, found);
    return error;
  }

  get code(): ErrorCode {
    return this.problem.code;
  }
}

/** The text of whatever was thrown; for `{detail}` parameters. */
export function detailOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  const text = error.message.split('\n')[0] ?? '';
  return code && !text.includes(code) ? `${code} ${text}` : text;
}

/** `file:line:column: CODE message` and the remedy beneath it, as people read it on stderr. */
export function formatProblem(found: Problem): string {
  const place = [found.file, found.line, found.column].filter((part) => part !== undefined).join(':');
  return `${place ? `${place}: ` : ''}${found.severity} ${found.code}: ${found.message}\n  ${found.remedy}`;
}
