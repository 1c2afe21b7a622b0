import { problemSchema, type ServiceProblem } from '../protocol/heartbeat.ts';
import { ScoutError } from '../support/errors.ts';
import { hideKeysIn } from '../support/hide.ts';
import { addressOf } from './connect.ts';

/** An answer as it came, and what it answers. */
export interface Answered {
  path: string;
  method: 'GET' | 'POST';
  /** 0 while nothing came. */
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  bytes: number;
  /** Texts that must not be shown, should they stand in it. */
  secrets: string[];
}

/** Longest text of a stranger that is shown. */
const LONGEST = 200;

/**
 * Tells the service's own answer from whatever else speaks HTTP: only application/problem+json says no, only
 * application/json with 200 says yes. Throws SERVICE_BUSY, PROXY_AUTH, and SERVICE_UNEXPECTED with what was seen.
 */
export function judge(
  endpoint: URL,
  seen: Answered,
): { kind: 'ok'; body: unknown } | { kind: 'problem'; status: number; problem: ServiceProblem } | { kind: 'absent'; detail: string } {
  const { status, headers } = seen;
  const fail = (code: 'SERVICE_UNEXPECTED' | 'SERVICE_BUSY' | 'PROXY_AUTH', detail: string) =>
    new ScoutError(code, { endpoint: addressOf(endpoint), detail });
  const type =
    String(headers['content-type'] ?? '')
      .split(';')[0]
      ?.trim()
      .toLowerCase() ?? '';
  const page = `${type === '' ? 'an answer without a type' : `a ${plain(type, seen)} page`} came with ${status}`;
  const parsed = type === 'application/problem+json' ? problemSchema.safeParse(jsonOf(seen.text)) : undefined;
  const problem = parsed?.success
    ? { ...parsed.data, detail: plain(parsed.data.detail, seen), code: plain(parsed.data.code, seen) }
    : undefined;

  const broken = () => fail('SERVICE_UNEXPECTED', `what came with ${status} is no JSON, or breaks off (${seen.bytes} bytes)${lost(seen)}`);

  if (status === 408 || status === 429 || status === 503)
    throw fail('SERVICE_BUSY', `status ${status}${problem ? `, ${problem.detail}` : ''}${waitOf(headers['retry-after'])}`);
  if (status >= 500) throw fail('SERVICE_BUSY', `server error (${status})${lost(seen)}`);
  if (status === 407) throw fail('PROXY_AUTH', 'it wants a user name and password (407)');
  if (status >= 300 && status < 400) throw fail('SERVICE_UNEXPECTED', `it sends us elsewhere (${status} to ${placeOf(headers.location)})`);
  if (status === 200) {
    if (type !== 'application/json') throw fail('SERVICE_UNEXPECTED', page);
    const body = jsonOf(seen.text);
    if (body === undefined) throw broken();
    return { kind: 'ok', body };
  }
  if (type === 'application/problem+json' && jsonOf(seen.text) === undefined) throw broken();
  if (problem && problem.status === status && status >= 400) return { kind: 'problem', status, problem };
  if (status === 404) return { kind: 'absent', detail: `there is no ${seen.path} (${page})` };
  if (status === 401 || status === 403)
    throw fail('SERVICE_UNEXPECTED', `${page}: that is not the service's own answer, but some proxy's or web server's`);
  throw fail('SERVICE_UNEXPECTED', page);
}

/** What to add to a fault that leaves open whether a request did its work. */
export const lost = ({ method }: Pick<Answered, 'method'>): string => (method === 'POST' ? '; the request may have been carried out' : '');

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A stranger's text, fit for a terminal: one line, no keys, not long. */
export function plain(text: string, { secrets }: Pick<Answered, 'secrets'> = { secrets: [] }): string {
  const hidden = secrets.reduce((left, secret) => left.replaceAll(secret, '[key]'), text);
  return hideKeysIn(hidden.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')).slice(0, LONGEST);
}

/** When it wants to be asked again, where it says so in seconds. */
function waitOf(retryAfter: string | string[] | undefined): string {
  return /^\d{1,6}$/.test(String(retryAfter)) ? `; it asks to wait for ${retryAfter} s` : '';
}

/** The host that a redirection names; no more of it, since an address can carry a secret. */
function placeOf(location: string | string[] | undefined): string {
  const text = String(location ?? '');
  return URL.canParse(text) ? new URL(text).host : 'another page';
}
