import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { AuditLine } from '../../hub/store/store.ts';
import type { Link } from '../../support/chain.ts';
import { detailOf, ScoutError } from '../../support/errors.ts';
import { out, table } from '../output.ts';
import { example } from '../program.ts';
import { usage, type Where, withRegistry, withRegistryOptions } from './common.ts';
import { plain } from './text.ts';

interface Options extends Where {
  json?: boolean;
}

interface VerifyOptions extends Options {
  expect?: string;
  from?: string;
  file?: string;
}

/** `scout-hub audit list|verify`. */
export function verb(program: Command): void {
  const audit = program.command('audit').description('who changed which key, credential, server or person, and when');

  const listing = audit.command('list').description('every line of the audit trail, oldest first');
  withRegistryOptions(listing).option('--json', 'one JSON document: the lines as stored, with their hashes').action(list);
  example(listing, 'scout-hub audit list');

  const verifying = audit.command('verify').description('check that no line was edited, removed between others or put in');
  withRegistryOptions(verifying)
    .option('--expect <hash>', 'a line of this hash must be in it: what an earlier `audit verify` told of the last')
    .option('--from <file>', 'the lines of this file must be in it: what an earlier `audit list --json` printed')
    .option('--file <file>', 'check the lines of this file instead; no hub is needed')
    .option('--json', 'one JSON document')
    .action(verify);
  example(verifying, 'scout-hub audit list --json > audit.json', 'scout-hub audit verify --from audit.json');
}

async function list(options: Options): Promise<void> {
  const { auditLines } = await import('../../hub/audit/audit.ts');
  const lines = await withRegistry(options, (hub) => Array.fromAsync(auditLines(hub.store, hub.org)));
  if (options.json) return out.json(lines);
  out.line(table(['LINE', 'TIME', 'WHO', 'WHAT', 'ON', 'DETAIL'], lines.map(rowOf)));
}

async function verify(options: VerifyOptions): Promise<void> {
  const { auditLines, verifyAudit } = await import('../../hub/audit/audit.ts');
  const { expect: hash } = options;
  if (hash !== undefined && !/^[0-9a-f]{64}$/.test(hash)) throw usage('--expect is not the hash of a line: 64 digits of 0-9 and a-f');
  const earlier = options.from === undefined ? undefined : await exported(options.from);
  const kept = { ...(hash !== undefined && { hash }), ...(earlier && { earlier }) };
  const walk = async () =>
    options.file === undefined
      ? withRegistry(options, (hub) => verifyAudit(auditLines(hub.store, hub.org), kept))
      : verifyAudit(await exported(options.file), kept);
  const found = await walk().catch((error: unknown) => {
    if (!options.json || !(error instanceof ScoutError) || !BAD_TRAIL.has(error.code)) throw error;
    const { code, message } = error.problem;
    out.json({ ok: false, code, message });
    process.exitCode = error.exit;
  });
  if (!found) return;
  const { lines, last } = found;
  if (options.json) return out.json({ ok: true, lines, last });
  out.line(`${lines} ${lines === 1 ? 'line' : 'lines'}, each as it was written; line ${lines}, the last, has hash ${last ?? '-'}.`);
}

const BAD_TRAIL: ReadonlySet<string> = new Set(['HUB_AUDIT_BROKEN', 'HUB_AUDIT_OTHER']);

/** Lines of an earlier `audit list --json`. Throws FILE_UNREADABLE, HUB_AUDIT_FILE. */
async function exported(path: string): Promise<Link[]> {
  const { parseExport } = await import('../../hub/audit/audit.ts');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ScoutError('FILE_UNREADABLE', { path, detail: detailOf(error) });
  }
  return parseExport(text, path);
}

function rowOf({ seq, at, actor, action, subject, detail, address }: AuditLine): (string | number)[] {
  const facts = Object.entries({ ...detail, ...(address !== null && { from: address }) });
  // A line that somebody edited may hold anything, also what is no time.
  const time = Number.isFinite(at) && Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : '-';
  const told = facts.map(([name, value]) => `${name}=${value}`).join(', ');
  return [seq, time, ...[actor, action, subject, told].map((text) => plain(String(text)))];
}
