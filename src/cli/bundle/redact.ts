import { formsOfSecret } from './forms.ts';

const REDACTED = '[redacted]';
/** Pieces of a secret that are looked for; that many bytes do not come about by chance. */
const PIECE = 12;
/** Below this a text stands everywhere. */
const SHORTEST = 4;

/** How often something was taken out of a text: known secrets, and what only looks like one. */
interface Redactions {
  known: number;
  patterns: number;
}

export interface Redacted extends Redactions {
  text: string;
}

/** A private key in PEM, also one that has lost its end. */
const PEM = /-----BEGIN[\s\S]*?(?:-----END[^-\n]*-----|$)/g;

/** What a secret looks like that nobody knows here: an older key, another program's. None of them goes over a quote. */
const PATTERNS: [pattern: RegExp, shown: string | ((found: string) => string)][] = [
  [PEM, REDACTED],
  // Lines of base64 as PEM and mail have them, indented or quoted as one likes: a block that has lost its beginning.
  [/[A-Za-z0-9+/]{60,76}(?:\r?\n[^\w\n+/]{0,20}[A-Za-z0-9+/]{60,76})*\r?\n[^\w\n+/]{0,20}[A-Za-z0-9+/]{4,76}={0,2}/g, REDACTED],
  [/enc:v?\d*:[\w:.+/=-]*/g, REDACTED],
  [/:hkdf:[\w:.+/=-]+/g, REDACTED],
  [/\bey[\w-]{8,}(?:\.[\w-]*){1,4}/g, REDACTED],
  [/\b((?:proxy-)?authorization|x-api-key|(?:set-)?cookie)(\\?["']?\s*[:=]\s*\\?["']?)[^"'\\\r\n]+/gi, `$1$2${REDACTED}`],
  [/\b(bearer|basic) +[\w+/=.~-]{8,}/gi, `$1 ${REDACTED}`],
  [/:\/\/[^\s/@"'\\]+@/g, `://${REDACTED}@`],
  [/^(\s*(?:Pass|Unset)?Environment=).*$/gm, `$1${REDACTED}`],
  // Settings by their names; a line of a systemd unit or an env file, YAML, TOML, JSON, or a field of a log.
  [
    /((?:api[_-]?key|agent[_-]?key|private[_-]?key|pass(?:phrase|word|wd)|secret|token)[\w.-]{0,40}\\?["']?\s*[=:]\s*)(\\?["'])?(?!true\b|false\b|null\b|[{[])[^"'\\\s,}]+/gi,
    `$1$2${REDACTED}`,
  ],
  [/[0-9A-Fa-f]{32,}/g, REDACTED],
  // Base64 may hold slashes, and then reads like a path; but no part of a path is that long.
  [/[\w+/=-]{40,}/g, (run) => (run.split('/').some((part) => part.length >= 40) ? REDACTED : run)],
];

/**
 * Takes secrets out of texts: the known ones by their pieces, in every spelling, whatever stands around them, and by
 * patterns what is not known. Whatever it cannot vouch for it does not give back.
 */
export class Redactor {
  readonly #pieces = new Set<string>();
  readonly #short: string[] = [];

  constructor(secrets: Iterable<Buffer>) {
    for (const secret of secrets)
      for (const form of formsOfSecret(secret)) {
        const low = lower(Buffer.from(form).toString('latin1'));
        if (low.length < SHORTEST) continue;
        if (low.length < PIECE) this.#short.push(low);
        for (let at = 0; at + PIECE <= low.length; at++) this.#pieces.add(low.slice(at, at + PIECE));
      }
  }

  /** The text without any secret. Throws where it is no text, or where something is left of one. */
  clean(bytes: Buffer): Redacted {
    if (bytes.includes(0)) throw new Error('it holds zero bytes, so it is no text');
    // A character a byte: pieces are counted in bytes, and letters may have several.
    const text = bytes.toString('latin1');
    const found = this.#ranges(text);
    // By the text as it was: what is known of one key may be the first line of another.
    const blocks = [...text.matchAll(PEM)].map(({ index, 0: block }): [number, number] => [index, index + block.length]);
    let clean = cut(text, merged([...found, ...blocks]));
    let patterns = blocks.length;
    for (const [pattern, shown] of PATTERNS) {
      clean = clean.replace(pattern, (whole: string, ...groups: unknown[]) => {
        const filled =
          typeof shown === 'string'
            ? shown.replace(/\$(\d)/g, (_, group: string) => String(groups[Number(group) - 1] ?? ''))
            : shown(whole);
        if (filled !== whole) patterns++;
        return filled;
      });
    }
    if (this.#ranges(clean).length > 0) throw new Error('something of a secret was left in it');
    return { text: Buffer.from(clean, 'latin1').toString('utf8'), known: found.length, patterns };
  }

  /** Where something of a known secret stands, widened to the whole run of such characters, in order and apart. */
  #ranges(text: string): [number, number][] {
    const searched = lower(text);
    const hits: [number, number][] = [];
    if (this.#pieces.size > 0)
      for (let at = 0; at + PIECE <= searched.length; at++)
        if (this.#pieces.has(searched.slice(at, at + PIECE))) {
          const last = hits.at(-1);
          if (last && at <= last[1]) last[1] = at + PIECE;
          else hits.push([at, at + PIECE]);
        }
    for (const form of this.#short)
      for (let at = searched.indexOf(form); at >= 0; at = searched.indexOf(form, at + form.length)) hits.push([at, at + form.length]);
    return merged(hits.map((hit) => widened(text, hit)));
  }
}

/** Of ASCII alone: what stands above it is a part of a letter here. */
const lower = (text: string): string => text.replace(/[A-Z]+/g, (run) => run.toLowerCase());

const RUN = /[\w+/%=~-]/;

function widened(text: string, [from, to]: [number, number]): [number, number] {
  let [start, end] = [from, to];
  while (start > 0 && RUN.test(text[start - 1] as string)) start--;
  while (end < text.length && RUN.test(text[end] as string)) end++;
  return [start, end];
}

function merged(ranges: [number, number][]): [number, number][] {
  const whole: [number, number][] = [];
  for (const [from, to] of ranges.sort(([one], [other]) => one - other)) {
    const last = whole.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else whole.push([from, to]);
  }
  return whole;
}

function cut(text: string, ranges: [number, number][]): string {
  let at = 0;
  const parts: string[] = [];
  for (const [from, to] of ranges) {
    parts.push(text.slice(at, from), REDACTED);
    at = to;
  }
  return parts.join('') + text.slice(at);
}
