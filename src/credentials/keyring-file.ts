import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { AuditLine } from '../rotation/journal.ts';
import { writeAtomically } from '../support/atomic.ts';
import { detailOf, ScoutError } from '../support/errors.ts';
import { ownerOf } from '../support/owner.ts';
import { EMPTY_KEYRING, type KeptKey, type Keyring } from './keyring.ts';

/**
 * The keyring of a file; an empty one where there is none. Everything in it is checked: what is half right is damaged.
 * Throws KEYRING_DAMAGED, FILE_UNREADABLE.
 */
export function readKeyring(path: string): Keyring {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return structuredClone(EMPTY_KEYRING);
    throw new ScoutError('FILE_UNREADABLE', { path, detail: detailOf(error) }, {}, { cause: error });
  }
  return parseKeyring(path, text);
}

/** The keyring in a text. Throws KEYRING_DAMAGED; what stood there is not repeated. */
export function parseKeyring(path: string, text: string): Keyring {
  const damaged = (detail: string) => new ScoutError('KEYRING_DAMAGED', { path, detail });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw damaged('it is not JSON; it was cut, or overwritten');
  }
  if (!isObject(value)) throw damaged('it holds no object');
  const { checksum, ...keyring } = value;
  if (keyring.v !== 1) throw damaged(`it is of version ${Number(keyring.v)}, and this agent knows 1`);
  const fault = faultIn(keyring, KEYRING, '');
  if (fault) throw damaged(fault);
  // One that was written by hand may have none.
  if (checksum !== undefined && checksum !== checksumOf(keyring)) throw damaged('its content is not what its checksum says');
  return keyring as unknown as Keyring;
}

/** A keyring as it is written: with a checksum, since one bit of a key is not seen otherwise. */
export function keyringText(keyring: Keyring): string {
  return `${JSON.stringify({ ...keyring, checksum: checksumOf(keyring) }, null, 2)}\n`;
}

const checksumOf = (keyring: object): string => createHash('sha256').update(JSON.stringify(keyring)).digest('hex');

/** Whether a value has the shape of a line of the audit log; its hash is another matter. */
export function isAuditLine(value: unknown): value is AuditLine {
  return isObject(value) && faultIn(value, AUDIT_LINE, '') === undefined;
}

/** Replaces the keyring durably. Root writes it for the owner of the folder, who runs the agent. Throws FILE_UNWRITABLE. */
export function writeKeyring(path: string, keyring: Keyring): void {
  try {
    writeAtomically(path, keyringText(keyring), 0o600, ownerOf(dirname(path)));
  } catch (error) {
    throw new ScoutError('FILE_UNWRITABLE', { path, detail: detailOf(error) }, {}, { cause: error });
  }
}

type Check = (value: unknown) => boolean;
interface Shape {
  [name: string]: Check | Shape | [Shape] | { orNull: Shape };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const text: Check = (value) => typeof value === 'string';
const textOrNull: Check = (value) => value === null || typeof value === 'string';
const maybeText: Check = (value) => value === undefined || typeof value === 'string';
const time: Check = (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value));
const timeOrNull: Check = (value) => value === null || time(value);
const oneOf =
  (...names: string[]): Check =>
  (value) =>
    names.includes(value as string);
const mark: Check = (value) => typeof value === 'string' && /^[0-9a-f]{12}$/.test(value);
const markOrNull: Check = (value) => value === null || mark(value);
const hash: Check = (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
/** These alone: root writes them into its configuration, and the file belongs to the agent's user. */
const texts: Check = (value) =>
  isObject(value) &&
  Object.entries(value).every(([name, one]) => /^api\.(key|private_key|credential_id|kid)$/.test(name) && typeof one === 'string');

const KEY: Shape & Record<keyof KeptKey, Check> = {
  fingerprint: mark,
  origin: oneOf('made', 'keypair', 'pasted', 'minted', 'rollback', 'found'),
  values: texts,
  since: time,
  valid_until: timeOrNull,
};

const AUDIT_LINE: Shape & Record<keyof AuditLine, Check> = {
  seq: (value) => Number.isSafeInteger(value) && (value as number) > 0,
  time,
  actor: text,
  event: text,
  rotation: textOrNull,
  from: markOrNull,
  to: markOrNull,
  reason: text,
  prev: hash,
  hash,
};

const KEYRING: Shape = {
  v: (value) => value === 1,
  service: { orNull: { endpoint: text, service_id: textOrNull, server_id: textOrNull } },
  current: { orNull: KEY },
  next: { orNull: KEY },
  previous: { orNull: KEY },
  quarantine: [{ ...KEY, reason: text, endpoint: maybeText, unproved: (value) => value === undefined || value === true }],
  rotation: {
    orNull: {
      id: text,
      state: oneOf('INTENT', 'STAGED', 'PROVEN', 'COMMITTED', 'ADOPTED', 'RETIRING'),
      source: oneOf('made', 'keypair', 'pasted', 'minted', 'rollback'),
      policy: oneOf('immediate', 'grace', 'multi'),
      from: mark,
      to: markOrNull,
      started: time,
      changed: time,
      actor: text,
      idempotency_key: maybeText,
      retire_at: timeOrNull,
      problem: textOrNull,
    },
  },
  audit: { orNull: AUDIT_LINE },
};

/** The first fault of a value, with its place in it. */
function faultIn(value: Record<string, unknown>, shape: Shape, place: string): string | undefined {
  const foreign = Object.keys(value).find((name) => !Object.hasOwn(shape, name));
  if (foreign !== undefined) return `${place || 'it'} holds something unknown`;
  for (const [name, expected] of Object.entries(shape)) {
    const found = value[name];
    const at = place ? `${place}.${name}` : name;
    const fault = faultOf(found, expected, at);
    if (fault) return fault;
  }
  return undefined;
}

function faultOf(found: unknown, expected: Shape[string], at: string): string | undefined {
  const wrong = `\`${at}\` is not what belongs there`;
  if (typeof expected === 'function') return expected(found) ? undefined : wrong;
  if (Array.isArray(expected)) {
    if (!Array.isArray(found)) return wrong;
    return found.map((one, index) => (isObject(one) ? faultIn(one, expected[0], `${at}[${index}]`) : wrong)).find(Boolean);
  }
  const optional = 'orNull' in expected ? (expected.orNull as Shape) : undefined;
  if (optional && found === null) return undefined;
  return isObject(found) ? faultIn(found, optional ?? (expected as Shape), at) : wrong;
}
