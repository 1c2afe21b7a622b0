import { Refusal } from '../http/problems.ts';
import { hashKey } from '../servers.ts';

/** What stands in examples, or comes of a variable that was empty; with and without the line end that `echo` adds. */
const WORDS = [
  '',
  'null',
  'undefined',
  'none',
  'test',
  'key',
  'apikey',
  'api_key',
  'secret',
  'password',
  'example',
  'placeholder',
  'changeme',
];
const MORE = [
  'change-me',
  'change_me',
  'your-api-key',
  'your_api_key',
  'YOUR_API_KEY',
  'YOUR-API-KEY',
  '<your-api-key>',
  'admin',
  '12345678',
];
const REPEATED = ['0', '1', 'a', 'f', 'x'].map((character) => character.repeat(64));

const HASHES: ReadonlySet<string> = new Set([...WORDS, ...MORE, ...REPEATED].flatMap((word) => [hashKey(word), hashKey(`${word}\n`)]));

/** Throws a Refusal (400) for the SHA-256 (hex) of a text that everybody would try first, or that no agent can send. */
export function unlessWeak(hash: string): void {
  if (!HASHES.has(hash)) return;
  throw new Refusal('key_invalid', 'This is the SHA-256 of nothing, or of a placeholder: was a variable empty? Make 32 random bytes.');
}
