import { PATHS } from '../protocol/wire.ts';
import type { Caller } from './gate.ts';
import { Refusal } from './problems.ts';
import type { OrgCredential, Scope } from './store.ts';

/** Every scope there is, in the order in which people are shown them. */
const SCOPES: readonly Scope[] = ['heartbeats', 'fleet', 'keys', 'admin'];

/** What each role may do unless `--scope` narrows it. */
export const ROLE_SCOPES: Record<OrgCredential['role'], readonly Scope[]> = {
  admin: SCOPES,
  member: ['heartbeats', 'fleet', 'keys'],
};

/** The scope that a credential needs for each route; null: any credential may ask. */
const ROUTES: Record<string, Scope | null> = {
  [PATHS.heartbeats]: 'heartbeats',
  [PATHS.whoami]: null,
  [PATHS.register]: 'keys',
  [PATHS.retire]: 'keys',
  [PATHS.mint]: 'keys',
};

/**
 * What keeps a caller from a route: a Refusal (403) for a credential without the scope, undefined where nothing does. A
 * server's own key may do all that its agent does. A route that is not in the table is for scope `admin`.
 */
export function lackOf(caller: Caller, route: string): Refusal | undefined {
  if (caller.kind === 'agent') return undefined;
  const needed = route in ROUTES ? ROUTES[route] : 'admin';
  const { name, scopes } = caller.credential;
  if (needed === null || needed === undefined || scopes.includes(needed)) return undefined;
  return new Refusal('forbidden', `The credential ${name} lacks the scope ${needed}; it has ${scopes.join(', ') || 'none'}.`);
}
