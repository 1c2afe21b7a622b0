import { STATUS_CODES } from 'node:http';
import type { ServiceProblem } from '../protocol/heartbeat.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** The stable words that programs may act on, and the status of each. */
const PROBLEMS = {
  bad_request: 400,
  heartbeat_invalid: 400,
  idempotency_key: 400,
  key_invalid: 400,
  key_missing: 401,
  key_refused: 401,
  signed_out: 401,
  forbidden: 403,
  token_refused: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  idempotency_used: 409,
  key_exists: 409,
  key_in_use: 409,
  key_last: 409,
  keys_full: 409,
  body_too_large: 413,
  unsupported_encoding: 415,
  unsupported_type: 415,
  too_many: 429,
  headers_too_large: 431,
  internal: 500,
  not_ready: 503,
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

/** What to answer for whatever was thrown: nothing of an unexpected failure leaves the house. */
export function refusalOf(error: unknown): Refusal {
  return error instanceof Refusal ? error : new Refusal('internal', 'The hub failed to handle this request; its log says why.');
}
