import { faultOf, type Link } from '../../../support/chain.ts';
import { auditLineOf } from '../audit-line.ts';
import type { Source } from './side.ts';
import { COPIED, type CopiedTable } from './tables.ts';

/** The audit trail of an organisation, as it was found. */
export interface Trail {
  /** Id of the organisation, which may be gone: its trail outlives it. */
  org: string;
  lines: number;
  /** Hash of the last line; null where that cannot be read. */
  last: string | null;
  /** Number of the first line that does not fit, and what is wrong with it; null for a whole chain. */
  fault: { line: number; detail: string } | null;
}

/** Walks the audit trail of every organisation there ever was, by organisation. */
export async function trailsOf(source: Source): Promise<Trail[]> {
  const audit = COPIED.find(({ name }) => name === 'audit') as CopiedTable;
  const trails: Trail[] = [];
  let trail: Trail | undefined;
  let before: Link | null = null;
  for await (const rows of source.rows(audit)) {
    for (const [org, seq, text] of rows) {
      if (trail?.org !== org) {
        trail = { org: org as string, lines: 0, last: null, fault: null };
        trails.push(trail);
        before = null;
      }
      before = follow(trail as Trail, auditLineOf({ seq, line: text }), before);
    }
  }
  // Each side sorts text in its own way.
  return trails.sort((one, other) => (one.org < other.org ? -1 : 1));
}

function follow(trail: Trail, line: Link, before: Link | null): Link {
  const detail = faultOf(line, before);
  trail.lines++;
  trail.last = line.hash || null;
  if (detail !== undefined) trail.fault ??= { line: trail.lines, detail };
  return line;
}
