import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';

/*
 * A sealed value: `enc:v1:hkdf:<key id>:<host id>:<base64url(salt ‖ iv ‖ ciphertext ‖ tag)>`.
 *
 * The key of each value is HKDF-SHA256 (RFC 5869) over host.key ‖ what the machine id gives, with a salt of its own and
 * the field in `info`; the cipher is AES-256-GCM, with header and field as additional data. The two ids are short
 * HMACs under host.key: they let an error say exactly what is amiss, and tell nothing to whoever has not host.key.
 */

/** What values are bound to: the 32 bytes of host.key, and what the machine id gives (support/machine-id.ts). */
export interface Binding {
  hostKey: Uint8Array;
  machine: Uint8Array;
}

/** The settings that may be sealed; a token opens in the one it was made for. */
export const SEALED_FIELDS = ['api.key', 'api.private_key', 'tls.key_passphrase', 'proxy', 'destinations[].key'] as const;

/** Ways in which a token does not open; each is a row of the table of errors. */
type SealFault = 'SEALED_MALFORMED' | 'SEALED_VERSION' | 'SEALED_ELSEWHERE' | 'SEALED_MACHINE' | 'SEALED_FIELD' | 'SEALED_TAMPERED';

export type Unsealed = { ok: true; text: string } | { ok: false; code: SealFault; params: Record<string, string> };

const KDF = 'hkdf';
const SALT = 16;
const IV = 12;
const TAG = 16;

/** Whether a text claims to be a sealed value. */
export const isSealed = (text: string): boolean => text.startsWith('enc:');

/** Whether a text is a sealed value, or was one before its beginning was damaged or cut off: no secret reads like that. */
export const looksSealed = (text: string): boolean => isSealed(text) || /:hkdf:[0-9a-f]{8}:[0-9a-f]{8}:/.test(text);

/** Which host key and machine values are bound to, as their tokens name it. */
export const bindingId = (binding: Binding): string => `${keyIdOf(binding)}:${hostIdOf(binding)}`;

/** Seals a text for one field. The token has letters, digits, `:`, `_` and `-` only. */
export function seal(binding: Binding, field: string, text: string): string {
  const head = header(keyIdOf(binding), hostIdOf(binding));
  const salt = randomBytes(SALT);
  const iv = randomBytes(IV);
  const cipher = createCipheriv('aes-256-gcm', keyOf(binding, salt, field), iv);
  cipher.setAAD(additional(head, field));
  const sealed = Buffer.concat([salt, iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `${head}:${sealed.toString('base64url')}`;
}

/** Opens a token for a field. What does not open has its reason, and nothing of the token in it. */
export function unseal(binding: Binding, field: string, token: string): Unsealed {
  const read = readToken(token);
  if (!('body' in read)) return read;
  if (read.keyId !== keyIdOf(binding)) return fault('SEALED_ELSEWHERE');
  if (read.hostId !== hostIdOf(binding)) return fault('SEALED_MACHINE');
  const text = decrypt(binding, read, field);
  if (text !== undefined) return { ok: true, text };
  // The field is part of the key, so the only way to tell a wrong one is to try the others.
  const other = SEALED_FIELDS.find((one) => one !== field && decrypt(binding, read, one) !== undefined);
  return other === undefined ? fault('SEALED_TAMPERED') : fault('SEALED_FIELD', { other });
}

/** The token's form alone, as far as it can be judged without any key; undefined when it is sound. */
export function formFault(token: string): Extract<Unsealed, { ok: false }> | undefined {
  const read = readToken(token);
  return 'body' in read ? undefined : read;
}

interface Token {
  head: string;
  keyId: string;
  hostId: string;
  body: Buffer;
}

function readToken(token: string): Token | Extract<Unsealed, { ok: false }> {
  const parts = token.split(':');
  const [prefix, version = '', kdf = '', keyId = '', hostId = '', text = ''] = parts;
  const malformed = (detail: string) => fault('SEALED_MALFORMED', { detail });
  if (prefix !== 'enc' || !/^v\d{1,6}$/.test(version)) return malformed('it does not begin with enc:v1:');
  if (version !== 'v1') return fault('SEALED_VERSION', { version });
  if (parts.length !== 6) return malformed(`it has ${parts.length} parts with colons between, not 6`);
  if (!/^[a-z0-9-]{1,32}$/.test(kdf)) return malformed('its third part is no name');
  if (kdf !== KDF) return fault('SEALED_VERSION', { version: `v1 with ${kdf}` });
  if (!/^[0-9a-f]{8}$/.test(keyId) || !/^[0-9a-f]{8}$/.test(hostId)) return malformed('its ids are not 8 hexadecimal digits each');
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return malformed('its last part holds a character that no token has');
  const body = Buffer.from(text, 'base64url');
  // A text in another spelling of the same bytes is not what was sealed.
  if (body.toString('base64url') !== text) return malformed('its last part is cut');
  if (body.length < SALT + IV + TAG) return malformed('it is too short, and was probably cut');
  return { head: header(keyId, hostId), keyId, hostId, body };
}

function decrypt(binding: Binding, { head, body }: Token, field: string): string | undefined {
  const salt = body.subarray(0, SALT);
  const iv = body.subarray(SALT, SALT + IV);
  const decipher = createDecipheriv('aes-256-gcm', keyOf(binding, salt, field), iv, { authTagLength: TAG });
  decipher.setAAD(additional(head, field));
  decipher.setAuthTag(body.subarray(-TAG));
  try {
    return Buffer.concat([decipher.update(body.subarray(SALT + IV, -TAG)), decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}

const header = (keyId: string, hostId: string): string => `enc:v1:${KDF}:${keyId}:${hostId}`;
const additional = (head: string, field: string): Buffer => Buffer.from(`${head}\0${field}`);

function keyOf({ hostKey, machine }: Binding, salt: Uint8Array, field: string): Buffer {
  return Buffer.from(hkdfSync('sha256', Buffer.concat([hostKey, machine]), salt, `scout-agent sealed value\0${field}`, 32));
}

function shortId(hostKey: Uint8Array, what: string, of: Uint8Array): string {
  return createHmac('sha256', hostKey).update(`scout-agent ${what}\0`).update(of).digest('hex').slice(0, 8);
}
const keyIdOf = ({ hostKey }: Binding): string => shortId(hostKey, 'key id', new Uint8Array());
const hostIdOf = ({ hostKey, machine }: Binding): string => shortId(hostKey, 'host id', machine);

const fault = (code: SealFault, params: Record<string, string> = {}): Extract<Unsealed, { ok: false }> => ({ ok: false, code, params });
