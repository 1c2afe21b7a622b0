import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type * as z from 'zod';
import type { Person } from '../people/session.ts';
import type { Registry } from '../servers.ts';
import { faultsOf } from './body-faults.ts';
import type { Caller } from './gate.ts';
import { type ProblemWord, Refusal } from './problems.ts';
import { type Arrived, fromOf } from './proxies.ts';
import type { Visitor } from './scopes.ts';

/** What a request carries along once it was let in (router.ts). */
export interface RouteEnv {
  Variables: {
    visitor: Visitor;
    /** Of a visitor who is signed in. */
    person: Person;
    /** The hub on behalf of the visitor. */
    registry: Registry;
    /** What a form of ours sent. */
    form: Record<string, string>;
  };
}

/** Most bytes of a body, but for heartbeats. */
export const BODY_MOST = 16_384;

/** What a request carries, checked. Throws a Refusal: unsupported_type, bad_request, and `word` for what is not as the schema says. */
export async function bodyOf<Schema extends z.ZodType>(
  c: Context,
  schema: Schema,
  word: ProblemWord = 'key_invalid',
): Promise<z.infer<Schema>> {
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
  throw new Refusal(word, `The body is not what this route takes: ${faultsOf(parsed.error)}.`);
}

/** The headers of a request, by name. */
export const headersOf = (c: Context) => Object.fromEntries(c.req.raw.headers);

/** Where a request comes from; empty in tests without a socket. */
export const addressOf = (c: Context): string => fromOf((c.env as Partial<HttpBindings> | undefined)?.incoming as Arrived | undefined);

/** The agent or credential that asks, on a route that people do not use. */
export function callerOf(c: Context<RouteEnv>): Caller {
  const visitor = c.get('visitor');
  if (visitor.kind === 'person') throw new Refusal('forbidden', 'This is asked for with a key.');
  return visitor;
}

/** A part of the path that a route names, decoded. */
export const param = (c: Context, name: string): string => c.req.param(name) ?? '';
