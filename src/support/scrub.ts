import { fingerprint } from './fingerprint.ts';

/** Field names whose values never reach a log, at any depth, in any of the spellings that headers and settings use. */
const SECRET_FIELDS =
  /^(key|api_?key|agent_?key|x-api-key|private_?key|authorization|proxy-authorization|cookie|set-cookie|password|key_?passphrase|passphrase|secret|token|proxy)$/i;
const REMOVED = '[removed]';
/** Below this a text is too common to be looked for in every line. */
const SHORTEST = 4;
/** A shorter secret may be a password that people chose, whose hash would help to guess it. */
const SHORTEST_FINGERPRINT = 24;
const DEEPEST = 8;

/** A copy of what is logged with the values of secret fields removed, and errors as one line of text. */
export function scrubFields(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return describe(value);
  if (depth === DEEPEST) return '[…]';
  if (Array.isArray(value)) return value.map((item) => scrubFields(item, depth + 1));
  if (value instanceof Date || ArrayBuffer.isView(value))
    return value instanceof Date ? value.toISOString() : `[${value.byteLength} bytes]`;
  const clean: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value)) {
    clean[name] = SECRET_FIELDS.test(name) && item !== null && item !== undefined ? REMOVED : scrubFields(item, depth + 1);
  }
  return clean;
}

function describe(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code;
  return `${error.name}: ${code && !error.message.includes(code) ? `${code} ` : ''}${error.message}`;
}

/**
 * Takes secrets out of finished lines by their value: as they are, and as base64, hexadecimal, URL-encoded and
 * JSON-escaped text, also within longer base64 such as a Basic header. Forms are worked out once per set of secrets.
 */
export class Scrubber {
  readonly #secrets: () => readonly string[];
  #known: readonly string[] = [];
  #forms: [form: string, shown: string][] = [];

  constructor(secrets: () => readonly string[]) {
    this.#secrets = secrets;
  }

  /** The line with each secret replaced by `[secret:FINGERPRINT]`. */
  clean(line: string): string {
    const secrets = this.#secrets();
    if (secrets.length !== this.#known.length || secrets.some((secret, index) => secret !== this.#known[index])) this.#learn(secrets);
    let text = line;
    for (const [form, shown] of this.#forms) if (text.includes(form)) text = text.replaceAll(form, shown);
    return text;
  }

  #learn(secrets: readonly string[]): void {
    this.#known = [...secrets];
    const forms = new Map<string, string>();
    for (const secret of secrets) {
      if (secret.length < SHORTEST) continue;
      const shown = secret.length < SHORTEST_FINGERPRINT ? '[secret]' : `[secret:${fingerprint(secret)}]`;
      for (const form of formsOf(secret)) if (!forms.has(form)) forms.set(form, shown);
    }
    // Longest first: a short form may be part of a longer one, and would leave the rest of it standing.
    this.#forms = [...forms].sort(([a], [b]) => b.length - a.length);
  }
}

function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const hex = bytes.toString('hex');
  const url = encodeURIComponent(secret.toWellFormed());
  const forms = [
    secret,
    JSON.stringify(secret).slice(1, -1),
    hex,
    hex.toUpperCase(),
    url,
    url.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
  ];
  for (const before of [0, 1, 2]) {
    const shifted = Buffer.concat([Buffer.alloc(before), bytes]);
    // Only the characters that the secret alone decides: those at its edges also hold bits of its neighbours.
    const first = Math.ceil((before * 4) / 3);
    const text = shifted.toString('base64').replace(/=+$/, '');
    const core = text.slice(first, shifted.length % 3 === 0 ? text.length : -1);
    if (core.length >= SHORTEST) forms.push(core, core.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return forms;
}
