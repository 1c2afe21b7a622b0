import type { Person } from '../people/session.ts';
import type { OrgCredential, Scope } from '../store/records.ts';
import type { Caller } from './gate.ts';
import { Refusal } from './problems.ts';
import { ROUTES, type RouteId, type Who } from './routes.ts';

/** Every scope there is, in the order in which people are shown them. */
const SCOPES: readonly Scope[] = ['heartbeats', 'fleet', 'keys', 'admin'];

/** What each role may do unless `--scope` narrows it. */
export const ROLE_SCOPES: Record<OrgCredential['role'], readonly Scope[]> = {
  admin: SCOPES,
  member: ['heartbeats', 'fleet', 'keys'],
};

/** Somebody who is signed in. */
interface PersonCaller {
  kind: 'person';
  person: Person;
}

/** Whoever a request may come from. */
export type Visitor = Caller | PersonCaller;

/** Whether scopes hold one; `admin` holds every other. */
export const holds = (scopes: readonly Scope[], needed: Scope): boolean => scopes.includes(needed) || scopes.includes('admin');

/** What keeps a visitor from a route of the table: a Refusal (403), undefined where nothing does. */
export function lackOf(visitor: Visitor, id: RouteId): Refusal | undefined {
  const { who }: { who: Who } = ROUTES[id];
  if (who.open) return undefined;
  if (visitor.kind === 'agent')
    return who.agent ? undefined : forbidden('The key of a server opens what its own agent needs, and nothing else.');
  if (visitor.kind === 'credential') return lackOfCredential(visitor.credential, who);
  const { name, role } = visitor.person;
  if (!who.session) return forbidden('This is asked for with a key, not by people who are signed in.');
  return role === 'member' && who.role === 'admin' ? forbidden(`${name} is a member here; this takes an admin.`) : undefined;
}

function lackOfCredential({ name, role, scopes }: OrgCredential, { scope: needed, role: least }: Who): Refusal | undefined {
  if (needed === undefined) return forbidden('This is for people who are signed in, not for keys.');
  if (needed !== 'any' && !holds(scopes, needed))
    return forbidden(`The credential ${name} lacks the scope ${needed}; it has ${scopes.join(', ') || 'none'}.`);
  return least === 'admin' && role !== 'admin'
    ? forbidden(`The credential ${name} is a member\u2019s; this takes one of an admin.`)
    : undefined;
}

const forbidden = (detail: string): Refusal => new Refusal('forbidden', detail);
