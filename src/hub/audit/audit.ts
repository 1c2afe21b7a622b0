import { faultOf, type Link } from '../../support/chain.ts';
import { ScoutError } from '../../support/errors.ts';
import type { AuditLine, Store } from '../store/store.ts';

/** What was kept of the trail elsewhere, and must still be in it: the hash of a line (hex), an earlier export of the lines. */
export interface Kept {
  hash?: string;
  earlier?: Link[];
}

/** A trail that was found whole; `last` is the hash of its last line, null where there is none. */
export interface Verified {
  lines: number;
  last: string | null;
}

const PAGE = 1_000;

/** Every line of an organisation's audit trail, oldest first, a page at a time. */
export async function* auditLines(store: Pick<Store, 'auditTrail'>, org: string): AsyncGenerator<AuditLine> {
  for (let from = 1; ; ) {
    const lines = await store.auditTrail(org, from, PAGE);
    yield* lines;
    const last = lines.at(-1);
    if (!last || lines.length < PAGE) return;
    // Of a line that was edited, the number cannot be trusted to lead on.
    from = Math.max(last.seq, from + lines.length - 1) + 1;
  }
}

/**
 * Walks the chain from its first line to its last. Throws HUB_AUDIT_BROKEN with the first line that does not fit. Lines cut
 * off at the end leave a whole chain, and so does one that was written anew: HUB_AUDIT_OTHER when something of what was
 * kept is not in it.
 */
export async function verifyAudit(trail: AsyncIterable<Link> | Iterable<Link>, { hash, earlier = [] }: Kept = {}): Promise<Verified> {
  let before: Link | null = null;
  let lines = 0;
  let found = hash === undefined;
  for await (const line of trail) {
    lines++;
    const detail = faultOf(line, before);
    if (detail !== undefined) throw new ScoutError('HUB_AUDIT_BROKEN', { line: String(lines), detail });
    const was = earlier[lines - 1];
    if (was && was.hash !== line.hash) throw other(`line ${lines} is not the one of the earlier export`);
    found ||= line.hash === hash;
    before = line;
  }
  if (lines < earlier.length) throw other(`it ends with line ${lines}, and the earlier export with line ${earlier.length}`);
  if (!found) throw other('no line of it has the hash that was expected');
  return { lines, last: before?.hash ?? null };
}

/**
 * Lines that `audit list --json` printed, or that the API and the pages export (JSON lines): checked as little as those of
 * the store. Throws HUB_AUDIT_FILE for what is no such file.
 */
export function parseExport(text: string, path: string): Link[] {
  const whole = jsonOf(text);
  const lines = Array.isArray(whole)
    ? whole
    : text
        .split('\n')
        .filter((line) => line.trim() !== '')
        .map(jsonOf);
  if (!Array.isArray(whole) && !isLine(lines[0])) throw new ScoutError('HUB_AUDIT_FILE', { path });
  return lines.map((line) => (isLine(line) ? line : { seq: 0, prev: '', hash: '' }));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isLine = (value: unknown): value is Link => typeof (value as Link | null)?.hash === 'string';
const other = (detail: string): ScoutError => new ScoutError('HUB_AUDIT_OTHER', { detail });
