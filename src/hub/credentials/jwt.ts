import { isUtf8 } from 'node:buffer';
import { type KeyObject, verify } from 'node:crypto';

/*
 * The token of an organisation credential: a JWT, RS256 and nothing else. Reading it and judging it are two steps, for
 * the key that judges is found by what was read. Whatever is not exactly as the protocol says is refused.
 */

/** Longest token that is looked at, in characters: one of a key of 8192 bits has about 1,700. */
const TOKEN_MOST = 4_096;
/** Seconds from `iat` to `exp`. */
const LIFE_MOST = 300;
/** Seconds by which the agent's clock and the hub's may differ. */
const LEEWAY = 60;

type Members = Record<string, unknown>;

/** A token that was read; nothing in it is to be believed before `checkToken`. */
export interface Token {
  kid: string;
  claims: Members;
  /** What was signed. */
  signed: Buffer;
  signature: Buffer;
}

/** Why a token is refused, as a sentence. */
export class TokenFault extends Error {
  constructor(sentence: string) {
    super(sentence);
    this.name = 'TokenFault';
  }
}

/** Whether a bearer has the form of a token: three parts between dots. API keys and private keys hold none. */
export const isToken = (text: string): boolean => text.split('.').length === 3;

/** Takes a token apart. Throws TokenFault. */
export function readToken(text: string): Token {
  if (text.length > TOKEN_MOST) throw new TokenFault(`The token has more than ${TOKEN_MOST} characters.`);
  const parts = text.split('.');
  if (parts.length !== 3) throw new TokenFault('The token does not have three parts between dots.');
  const [header, payload, signature] = parts as [string, string, string];
  const kid = kidOf(membersOf(header, 'header'));
  const claims = membersOf(payload, 'payload');
  return { kid, claims, signed: Buffer.from(`${header}.${payload}`), signature: bytesOf(signature, 'signature') };
}

/**
 * Checks a token with the public key of its `kid`: signature, issuer, subject (the credential's id) and times against
 * the hub's clock (`now`, ms). Throws TokenFault.
 */
export function checkToken({ claims, signed, signature }: Token, key: KeyObject, subject: string, now: number): void {
  if (!verify('sha256', signed, key, signature)) throw new TokenFault('The signature of the token is not of this credential’s key.');
  if (claims.iss !== 'scout') throw new TokenFault('The token’s `iss` is not `scout`.');
  if (claims.sub !== subject) throw new TokenFault('The token’s `sub` is not the id of the credential that its key belongs to.');
  if (claims.aud !== undefined) throw new TokenFault('The token names an audience (`aud`), and this service takes none.');
  checkTimes(claims, now / 1_000);
}

function checkTimes(claims: Members, now: number): void {
  const iat = timeOf(claims, 'iat');
  const exp = timeOf(claims, 'exp');
  const nbf = claims.nbf === undefined ? iat : timeOf(claims, 'nbf');
  if (exp <= iat) throw new TokenFault('The token ends (`exp`) no later than it begins (`iat`).');
  if (exp - iat > LIFE_MOST) throw new TokenFault(`The token lives for ${exp - iat} s; ${LIFE_MOST} s are allowed.`);
  if (iat > now + LEEWAY) throw new TokenFault(`The token is from a clock ${Math.round(iat - now)} s ahead.`);
  if (nbf > now + LEEWAY) throw new TokenFault(`The token is good only in ${Math.round(nbf - now)} s (\`nbf\`).`);
  if (now >= exp + LEEWAY)
    throw new TokenFault(`The token expired ${Math.round(now - exp)} s ago: it is an old one, or from a clock that is behind.`);
}

function timeOf(claims: Members, name: string): number {
  const value = claims[name];
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw new TokenFault(`The token’s \`${name}\` is not a whole number of seconds.`);
  return value as number;
}

function kidOf(header: Members): string {
  const { alg, typ, kid } = header;
  // The algorithm is ours to choose: a token that chose `none`, or HMAC with the public key, would prove nothing.
  if (alg !== 'RS256') throw new TokenFault('The token’s `alg` is not RS256.');
  if (typ !== undefined && typ !== 'JWT') throw new TokenFault('The token’s `typ` is not JWT.');
  if ('crit' in header || 'b64' in header) throw new TokenFault('The token asks for an extension (`crit`, `b64`), and none is known here.');
  if (typeof kid !== 'string' || !/^[\w-]{43}$/.test(kid)) throw new TokenFault('The token’s `kid` is no RFC 7638 thumbprint.');
  return kid;
}

function membersOf(part: string, name: string): Members {
  const bytes = bytesOf(part, name);
  const fault = new TokenFault(`The token’s ${name} is not a JSON object.`);
  if (!isUtf8(bytes)) throw fault;
  const text = bytes.toString();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw fault;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fault;
  if (repeats(text)) throw new TokenFault(`The token’s ${name} has a member twice.`);
  return value as Members;
}

/** One text for one run of bytes: padding, other alphabets and bits that stand for nothing are refused. */
function bytesOf(part: string, name: string): Buffer {
  const bytes = Buffer.from(part, 'base64url');
  if (part === '' || bytes.toString('base64url') !== part) throw new TokenFault(`The token’s ${name} is not base64url without padding.`);
  return bytes;
}

/** Whether the outermost object of valid JSON names a member twice: parsers differ in which one they believe. */
function repeats(json: string): boolean {
  const seen = new Set<string>();
  let depth = 0;
  for (const [token, text, colon] of json.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\]]/g)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (depth === 1 && colon !== undefined) {
      const member = JSON.parse(text as string) as string;
      if (seen.has(member)) return true;
      seen.add(member);
    }
  }
  return false;
}
