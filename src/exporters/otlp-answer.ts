import { parseRetryAfter } from '../delivery/backoff.ts';
import type { Outcome } from '../delivery/heartbeats.ts';
import type { Answer } from '../delivery/transport.ts';
import { hideEcho } from '../support/hide.ts';

/** What an answer of an OTLP/HTTP receiver means, and what it had to say to people although it took everything it could. */
export interface Judgement {
  outcome: Outcome;
  /** A partial success: points that it left out, or a warning. OTLP forbids to send those again. */
  remark?: string;
}

const REMARK_MAX = 300;

/**
 * Judges by opentelemetry.io/docs/specs/otlp, "OTLP/HTTP Response", but for one thing: there only 429, 502, 503 and 504
 * may be tried again, and any other 5xx loses the data. Proxies and receivers that are broken for an hour say 500, so
 * here every 5xx keeps the heartbeats. `count`: heartbeats in the request; `now`: ms since the epoch; `sent`: the headers
 * of the credential, which the receiver may repeat.
 */
export function judgeOtlp(answer: Answer, count: number, now: number, sent: Record<string, string>): Judgement {
  const { status, headers } = answer;
  const type = (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
  const words = type === 'text/html' ? '' : tidy(hideEcho(said(answer.body, type), sent));
  const detail = words === '' ? `status ${status}` : `status ${status}: ${words}`;
  const unexpected = (what: string): Judgement => ({ outcome: { kind: 'unavailable', reason: 'unexpected', detail: what } });

  if (status >= 200 && status < 300) {
    if (type === 'text/html') return unexpected(`a web page came with ${status} instead of an answer of OTLP`);
    const outcome: Outcome = { kind: 'accepted', accepted: count, duplicates: 0 };
    return isPartial(answer.body, type) ? { outcome, remark: words || 'it left some points out and did not say why' } : { outcome };
  }
  if (status === 401) return { outcome: { kind: 'unauthorized', detail } };
  if (status === 403) return { outcome: { kind: 'forbidden', detail } };
  if (status === 413) return { outcome: { kind: 'too-large' } };
  if (status === 400 || status === 422) return { outcome: { kind: 'rejected', detail } };
  const retryAfter = parseRetryAfter(headers['retry-after'], now);
  const later = retryAfter !== undefined && { retryAfter };
  if (status === 408 || status === 429 || status === 503) return { outcome: { kind: 'unavailable', reason: 'busy', detail, ...later } };
  if (status >= 500) return { outcome: { kind: 'unavailable', reason: 'server-error', detail, ...later } };
  if (status === 407)
    return { outcome: { kind: 'unavailable', reason: 'proxy', detail: 'the proxy wants a user name and password (407)' } };
  if (status === 404 || status === 405) return unexpected(`nothing takes metrics under this path (${status}): is the address right?`);
  if (status >= 300 && status < 400) return unexpected(`it sends elsewhere (${status}): is the address right?`);
  return unexpected(detail);
}

/** An empty message, or one whose partial_success is empty, is a full success; so is what is no answer of OTLP's. */
function isPartial(body: string, type: string): boolean {
  if (type === 'application/json') {
    const { partialSuccess } = parseObject(body) as { partialSuccess?: { rejectedDataPoints?: unknown; errorMessage?: unknown } };
    return Number(partialSuccess?.rejectedDataPoints ?? 0) > 0 || Boolean(partialSuccess?.errorMessage);
  }
  return type === 'application/x-protobuf' && body !== '' && body !== '\n\0';
}

/**
 * The words in a body. Those of protobuf (partial_success.error_message, google.rpc.Status.message) are the one long
 * run of text among a few bytes of framing, which is all that is left of them in a body that was read as text.
 */
function said(body: string, type: string): string {
  if (type === 'application/json') {
    const { partialSuccess, message, error } = parseObject(body) as Record<string, unknown>;
    const words = (partialSuccess as { errorMessage?: unknown } | undefined)?.errorMessage ?? message ?? error;
    return typeof words === 'string' ? words : '';
  }
  if (type === 'application/x-protobuf') {
    const runs = body.split(/[\p{C}\uFFFD]+/u);
    const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '');
    return longest.length > 3 ? longest : '';
  }
  return body;
}

function tidy(text: string): string {
  return text
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, REMARK_MAX);
}

function parseObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
