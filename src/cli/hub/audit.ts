import type { Command } from 'commander';
import type { AuditLine } from '../../hub/audit.ts';
import { out, table } from '../output.ts';
import { example } from '../program.ts';
import { withData, withStore } from './common.ts';
import { plain } from './text.ts';

interface Options {
  data: string;
  json?: boolean;
}

/** `scout-hub audit list|verify`. */
export function verb(program: Command): void {
  const audit = program.command('audit').description('who changed which key, credential, server or person, and when');

  const listing = audit.command('list').description('every line of the audit trail, oldest first');
  withData(listing).option('--json', 'one JSON document: the lines as stored, with their hashes').action(list);
  example(listing, 'scout-hub audit list');

  const verifying = audit.command('verify').description('check that no line was edited, removed between others or put in');
  withData(verifying).option('--json', 'one JSON document').action(verify);
  example(verifying, 'scout-hub audit verify');
}

async function list(options: Options): Promise<void> {
  const { auditLines } = await import('../../hub/audit.ts');
  const lines = await withStore(options.data, (store) => Array.fromAsync(auditLines(store)));
  if (options.json) return out.json(lines);
  out.line(table(['LINE', 'TIME', 'WHO', 'WHAT', 'ON', 'DETAIL'], lines.map(rowOf)));
}

async function verify(options: Options): Promise<void> {
  const { verifyAudit } = await import('../../hub/audit.ts');
  const { lines, last } = await withStore(options.data, verifyAudit);
  if (options.json) return out.json({ ok: true, lines, last });
  out.line(`${lines} ${lines === 1 ? 'line' : 'lines'}, each as it was written; the last has hash ${last ?? '-'}.`);
}

function rowOf({ seq, at, actor, action, subject, detail, address }: AuditLine): (string | number)[] {
  const facts = Object.entries({ ...detail, ...(address !== null && { from: address }) });
  // A line that somebody edited may hold anything, also what is no time.
  const time = Number.isFinite(at) && Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : '-';
  const told = facts.map(([name, value]) => `${name}=${value}`).join(', ');
  return [seq, time, ...[actor, action, subject, told].map((text) => plain(String(text)))];
}
