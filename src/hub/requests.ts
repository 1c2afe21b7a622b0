import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type * as z from 'zod';
import type { Gate } from './gate.ts';
import { Refusal } from './problems.ts';

/* What routes that take a small JSON body have in common. */

const BODY_MOST = 16_384;

/** Refuses bodies beyond 16 KiB. */
export function smallBody(gate: Gate) {
  return bodyLimit({
    maxSize: BODY_MOST,
    onError: () => gate.count(new Refusal('body_too_large', 'A body of these routes has 16 KiB at most.')).response(),
  });
}

/** The answer to another method on a route of POST. */
export const onlyPost = (): Response =>
  new Refusal('method_not_allowed', 'This is asked for with POST.', { headers: { allow: 'POST' } }).response();

/** What a request carries, checked. Throws a Refusal: unsupported_type, bad_request, key_invalid. */
export async function bodyOf<Schema extends z.ZodType>(c: Context, schema: Schema): Promise<z.infer<Schema>> {
  const text = await c.req.text();
  const type = c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase();
  if (text !== '' && type !== 'application/json') throw new Refusal('unsupported_type', 'Content-Type must be application/json.');
  let body: unknown;
  try {
    body = text === '' ? {} : JSON.parse(text);
  } catch {
    throw new Refusal('bad_request', 'The body is not JSON.');
  }
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  // Places and kinds only: what stands there may be a key.
  const where = parsed.error.issues.map(({ path, code }) => `${path.join('.') || 'body'} (${code})`).join(', ');
  throw new Refusal('key_invalid', `The body is not what this route takes: ${where}.`);
}

/** The headers of a request, by name. */
export const headersOf = (c: Context) => Object.fromEntries(c.req.raw.headers);

/** Where a request comes from; empty in tests without a socket. */
export const addressOf = (c: Context): string => (c.env as Partial<HttpBindings> | undefined)?.incoming?.socket.remoteAddress ?? '';
