import { STATUS_CODES } from 'node:http';
import type { ServiceProblem } from '../../protocol/heartbeat.ts';
import { type ErrorCode, ScoutError } from '../../support/errors.ts';
import { isAway } from '../store/away.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** The stable words that programs may act on, and the status of each. */
const PROBLEMS = {
  bad_request: 400,
  heartbeat_invalid: 400,
  idempotency_key: 400,
  invalid: 400,
  key_invalid: 400,
  key_missing: 401,
  key_refused: 401,
  signed_out: 401,
  forbidden: 403,
  password_wrong: 403,
  token_refused: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  exists: 409,
  idempotency_used: 409,
  key_exists: 409,
  key_in_use: 409,
  key_last: 409,
  keys_full: 409,
  last_admin: 409,
  moved: 409,
  policy: 409,
  body_too_large: 413,
  unsupported_encoding: 415,
  unsupported_type: 415,
  too_many: 429,
  headers_too_large: 431,
  internal: 500,
  busy: 503,
  not_ready: 503,
  storage_full: 507,
} as const;

export type ProblemWord = keyof typeof PROBLEMS;

/** A request that is refused: thrown anywhere below a route, answered as RFC 9457 says. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: ProblemWord;
  readonly headers: Record<string, string>;
  readonly index: number | undefined;

  constructor(code: ProblemWord, detail: string, more: { headers?: Record<string, string>; index?: number } = {}) {
    super(detail);
    this.name = 'Refusal';
    this.code = code;
    this.status = PROBLEMS[code];
    this.headers = more.headers ?? {};
    this.index = more.index;
  }

  /** The body of the answer. */
  body(): ServiceProblem {
    const { status, code, message: detail, index } = this;
    return { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, detail, code, ...(index === undefined ? {} : { index }) };
  }

  /** As an answer of the fetch kind. */
  response(): Response {
    const headers = { 'content-type': PROBLEM_TYPE, 'cache-control': 'no-store', ...this.headers };
    return new Response(JSON.stringify(this.body()), { status: this.status, headers });
  }
}

/** Errors that whoever asks can mend, and the word for each. All others are the hub's own affair. */
const WORDS: Partial<Record<ErrorCode, ProblemWord>> = {
  HUB_SERVER_UNKNOWN: 'not_found',
  HUB_KEY_UNKNOWN: 'not_found',
  HUB_CREDENTIAL_UNKNOWN: 'not_found',
  HUB_USER_UNKNOWN: 'not_found',
  HUB_TOKEN_UNKNOWN: 'not_found',
  HUB_SERVER_EXISTS: 'exists',
  HUB_KEY_NAMED: 'exists',
  HUB_CREDENTIAL_EXISTS: 'exists',
  HUB_USER_EXISTS: 'exists',
  HUB_KEY_EXISTS: 'key_exists',
  HUB_KEY_ENDED: 'key_exists',
  HUB_KEY_LAST: 'key_last',
  HUB_KEY_MOVED: 'moved',
  HUB_KEY_POLICY: 'policy',
  HUB_USER_LAST: 'last_admin',
  HUB_SERVER_NAME: 'invalid',
  HUB_KEY_NAME: 'invalid',
  HUB_CREDENTIAL_NAME: 'invalid',
  HUB_USER_NAME: 'invalid',
  HUB_PASSWORD_WEAK: 'invalid',
  HUB_PUBLIC_KEY: 'invalid',
};

/** What to answer for whatever was thrown: nothing of an unexpected failure leaves the house. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  // Agents keep what they have and come again; the database may be back by then.
  if (isAway(error)) return new Refusal('not_ready', 'The hub cannot reach its database; ask again.', { headers: { 'retry-after': '1' } });
  const word = error instanceof ScoutError ? WORDS[error.code as ErrorCode] : undefined;
  if (word !== undefined) return new Refusal(word, sentence((error as ScoutError).problem.message));
  return new Refusal('internal', 'The hub failed to handle this request; its log says why.');
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
