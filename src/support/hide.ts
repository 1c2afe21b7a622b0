import { MASK } from './fingerprint.ts';

/** What only a key, a token or a private key looks like: a name, a path or an address has no such run of characters. */
const KEY_LIKE = /-----BEGIN[\s\S]*|[0-9A-Fa-f]{32,}|[\w+-]{44,}/g;
/** Longer than any path or name: base64 with slashes in it, which the runs above would leave in pieces. */
const LONGEST = 400;

/**
 * A value that is no secret by its name, fit to be shown: keys get pasted into the wrong setting (`key_file`, `endpoint`)
 * and must not be shown there either. Of a path only the last part is looked at: folders of containers have long names.
 */
export function hideKeys(text: string): string {
  if (text.length > LONGEST) return MASK;
  const slash = /^\.{0,2}\//.test(text) ? text.lastIndexOf('/') + 1 : 0;
  return text.slice(0, slash) + text.slice(slash).replace(KEY_LIKE, MASK);
}

/** A sentence of ours about something that was typed, with each word of it fit to be shown. */
export function hideKeysIn(text: string): string {
  return text.replace(/[^\s`'"]+/g, hideKeys);
}

/** Somebody else's text, without what it repeats of the headers that it was sent; they carry a credential. */
export function hideEcho(text: string, headers: Record<string, string>): string {
  const words = Object.values(headers).flatMap((value) => value.split(' '));
  return hideKeysIn(words.filter((word) => word.length > 6).reduce((left, word) => left.replaceAll(word, MASK), text));
}
