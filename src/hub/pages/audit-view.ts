import { ScoutError } from '../../support/errors.ts';
import { auditLines, type Verified, verifyAudit } from '../audit/audit.ts';
import type { AuditLine, Store } from '../store/store.ts';

/** Lines of one page, and of one look into the store. */
export const AUDIT_PAGE = 100;
const CHUNK = 1_000;
/** Most lines looked at for one page: with a filter that fits few, the next page goes on from there. */
const LOOK_MOST = 20_000;
/** A trail of so many lines is verified whenever it is looked at; a longer one when it is asked for. */
const VERIFY_AT_ONCE = 5_000;

/** What is looked for: each a part of the text; empty ones let everything through. */
export interface AuditFilter {
  who: string;
  what: string;
  on: string;
}

export interface AuditView {
  filter: AuditFilter;
  /** The newest first. */
  lines: AuditLine[];
  /** How many lines the trail has. */
  last: number;
  /** Where the next page begins: lines below this number; undefined at the end. */
  before: number | undefined;
  /** Whether the chain holds; undefined where nobody has looked. */
  chain: { ok: true; verified: Verified } | { ok: false; message: string } | undefined;
}

type Trail = Pick<Store, 'auditTrail'>;

/** A page of an organisation's trail, the newest lines first; `before`: only lines below that number. `verify`: also a long one. */
export async function viewAudit(
  store: Trail,
  org: string,
  filter: AuditFilter,
  before: number | undefined,
  verify: boolean,
): Promise<AuditView> {
  const last = await lastOf(store, org);
  const lines: AuditLine[] = [];
  const top = Math.min(before ?? last + 1, last + 1);
  let below = top;
  while (below > 1 && lines.length < AUDIT_PAGE && top - below < LOOK_MOST) {
    const from = Math.max(1, below - CHUNK);
    const chunk = (await store.auditTrail(org, from, below - from)).filter((line) => line.seq < below && fits(line, filter));
    const taken = chunk.reverse().slice(0, AUDIT_PAGE - lines.length);
    lines.push(...taken);
    below = taken.length < chunk.length || lines.length === AUDIT_PAGE ? (lines.at(-1)?.seq ?? from) : from;
  }
  const chain = verify || last <= VERIFY_AT_ONCE ? await chainOf(store, org) : undefined;
  return { filter, lines, last, before: below > 1 ? below : undefined, chain };
}

const holds = (text: unknown, part: string): boolean => String(text).toLowerCase().includes(part.toLowerCase());
const fits = (line: AuditLine, { who, what, on }: AuditFilter): boolean =>
  (!who || holds(line.actor, who)) && (!what || holds(line.action, what)) && (!on || holds(line.subject, on));

async function chainOf(store: Trail, org: string): Promise<AuditView['chain']> {
  try {
    return { ok: true, verified: await verifyAudit(auditLines(store, org)) };
  } catch (error) {
    if (error instanceof ScoutError) return { ok: false, message: error.problem.message };
    throw error;
  }
}

/** The number of the last line: the store tells lines by their number, and they grow without holes. */
async function lastOf(store: Trail, org: string): Promise<number> {
  const there = async (seq: number) => (await store.auditTrail(org, seq, 1)).length > 0;
  let [low, high] = [0, 1];
  while (await there(high)) [low, high] = [high, high * 2];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (await there(middle)) low = middle;
    else high = middle;
  }
  return low;
}
