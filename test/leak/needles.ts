import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';

/*
 * Secrets that only this run knows, and a search for any good part of one in any spelling. Each is cut into pieces of
 * twelve bytes, so that a secret which was cut short, wrapped or put into a longer text is found as well; twelve bytes do
 * not come about by chance.
 */

const PIECE = 12;

export type Kind =
  | 'api key'
  | 'pasted key'
  | 'private key'
  | 'proxy password'
  | 'TLS passphrase'
  | 'bearer'
  | 'password'
  | 'cookie'
  | 'host key'
  | 'key of the hub';

export interface Canary {
  kind: Kind;
  /** Where in the hunt it was made. */
  label: string;
  bytes: Buffer;
}

/** A canary seen somewhere. */
export interface Sighting {
  kind: Kind;
  label: string;
  form: string;
}

interface Needle extends Sighting {
  bytes: Buffer;
}

export class Needles {
  readonly #canaries: Canary[] = [];
  readonly #seen = new Set<string>();
  #index: Map<number, Needle[]> | undefined;
  #first = new Uint8Array(65_536);

  /** Kinds of which there is at least one. */
  get kinds(): Set<Kind> {
    return new Set(this.#canaries.map(({ kind }) => kind));
  }

  get count(): number {
    return this.#canaries.length;
  }

  /** Has a secret looked for; returns it. */
  add(kind: Kind, label: string, secret: string | Buffer): string {
    const bytes = Buffer.from(secret);
    // Under the kind it was first known by.
    const id = bytes.toString('hex');
    if (!this.#seen.has(id)) {
      this.#seen.add(id);
      this.#canaries.push({ kind, label, bytes });
      this.#index = undefined;
    }
    return String(secret);
  }

  /** A new API key. */
  key(label: string, kind: Kind = 'api key'): string {
    return this.add(kind, label, randomBytes(32).toString('hex'));
  }

  /** A new password, with characters that URLs escape at its ends. */
  password(label: string, kind: Kind): string {
    return this.add(kind, label, `/${randomBytes(18).toString('hex')}+ü`);
  }

  /** A new RSA private key in PEM; looked for are the numbers that are secret, in PEM, DER and JWK alike. */
  privateKey(label: string): { pem: string; publicPem: string } {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    this.addPrivateKey(label, pem);
    return { pem, publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
  }

  /** Has a private key looked for by its secret numbers. */
  addPrivateKey(label: string, key: string | Buffer): void {
    const parsed = Buffer.isBuffer(key) ? createPrivateKey({ key, format: 'der', type: 'pkcs8' }) : createPrivateKey(key);
    const { d = '', p = '' } = parsed.export({ format: 'jwk' });
    for (const number of [d, p]) this.add('private key', label, Buffer.from(number, 'base64url'));
  }

  /** Everything of ours that stands in these bytes, each canary once a form. */
  search(bytes: Buffer): Sighting[] {
    const index = this.#indexed();
    const found = new Map<string, Sighting>();
    for (let at = 0; at + 4 <= bytes.length; at += 1) {
      if (this.#first[((bytes[at] as number) << 8) | (bytes[at + 1] as number)] === 0) continue;
      for (const needle of index.get(bytes.readUInt32BE(at)) ?? []) {
        if (
          bytes.length - at < needle.bytes.length ||
          bytes.compare(needle.bytes, 0, needle.bytes.length, at, at + needle.bytes.length) !== 0
        )
          continue;
        const { kind, label, form } = needle;
        found.set(`${kind} ${label} ${form}`, { kind, label, form });
      }
    }
    return [...found.values()];
  }

  #indexed(): Map<number, Needle[]> {
    if (this.#index) return this.#index;
    this.#index = new Map();
    this.#first = new Uint8Array(65_536);
    for (const { kind, label, bytes } of this.#canaries)
      for (const piece of piecesOf(bytes))
        for (const [form, spelt] of formsOf(piece)) {
          const start = spelt.readUInt32BE(0);
          this.#first[start >>> 16] = 1;
          this.#index.set(start, [...(this.#index.get(start) ?? []), { kind, label, form, bytes: spelt }]);
        }
    return this.#index;
  }
}

function piecesOf(bytes: Buffer): Buffer[] {
  const starts: number[] = [];
  for (let at = 0; at + PIECE <= bytes.length; at += PIECE) starts.push(at);
  return starts.map((at) => bytes.subarray(at, at + PIECE));
}

/** The spellings of some bytes, each with those characters alone that the bytes decide. */
function formsOf(piece: Buffer): [form: string, spelt: Buffer][] {
  const hex = piece.toString('hex');
  const forms: [string, Buffer][] = [
    ['raw', piece],
    ['hex', Buffer.from(hex)],
    ['HEX', Buffer.from(hex.toUpperCase())],
  ];
  const text = piece.toString('latin1');
  const wide = Buffer.from(text, 'utf16le');
  forms.push(['UTF-16LE', wide], ['UTF-16BE', Buffer.from(wide).swap16()]);
  const url = encodeURIComponent(text);
  if (url !== text) forms.push(['URL', Buffer.from(url)]);
  for (const before of [0, 1, 2]) {
    const shifted = Buffer.concat([Buffer.alloc(before), piece]);
    const base64 = shifted.toString('base64').replace(/=+$/, '');
    const core = base64.slice(Math.ceil((before * 4) / 3), shifted.length % 3 === 0 ? base64.length : -1);
    forms.push([`base64 +${before}`, Buffer.from(core)]);
    const safe = core.replaceAll('+', '-').replaceAll('/', '_');
    if (safe !== core) forms.push([`base64url +${before}`, Buffer.from(safe)]);
  }
  // Bytes that are hexadecimal text are a key, whose bytes may be kept too.
  if (/^[0-9a-f]+$/.test(text)) forms.push(['bytes', Buffer.from(text, 'hex')]);
  return forms.filter(([form]) => form !== 'bytes' || piece.length >= PIECE);
}
