import { join } from 'node:path';
import type { AuditEntry, Audited } from '../../rotation/audit.ts';
import { EXIT, ScoutError } from '../../support/errors.ts';
import { out, table } from '../output.ts';
import { example, type Verb } from '../program.ts';
import { storedOptions } from './run-options.ts';
import { findPlaces } from './running.ts';

interface Options {
  config?: string;
  stateDir?: string;
  json?: boolean;
}

/** A rotation that goes on meanwhile writes a handful of lines, some seconds apart at most. */
const ATTEMPTS = 5;

/** `audit verify` and `audit show`: both read only. */
export const verb: Verb = (program) => {
  const audit = program.command('audit').description("see what happened to this host's key, and that nobody edited the log of it");
  example(audit, 'scout-agent audit show', 'scout-agent audit verify');
  storedOptions(audit.command('verify').description('check each line, and that none is missing'), 'log', 'scout-agent audit verify').action(
    verify,
  );
  storedOptions(audit.command('show').description('print the log'), 'log', 'scout-agent audit show --json').action(show);
};

async function verify(options: Options): Promise<void> {
  const folder = await findFolder(options);
  const path = await pathIn(folder);
  const { lines, notes, fault } = await check(folder, path);
  if (options.json) {
    out.json({ ok: fault === undefined, path, lines, notes, fault: fault ? { line: fault.at, detail: fault.detail } : null });
    if (fault) process.exitCode = EXIT.failed;
    return;
  }
  for (const note of notes) out.note(`${path}: ${note}`);
  if (fault) throw new ScoutError('AUDIT_BROKEN', { path, line: fault.at, detail: fault.detail });
  out.line(`${path}: ${lines} ${lines === 1 ? 'line' : 'lines'}, unbroken`);
}

async function show(options: Options): Promise<void> {
  const path = await pathIn(await findFolder(options));
  const { readAudit } = await import('../../rotation/audit.ts');
  const entries = readAudit(path);
  const lines = entries.flatMap(({ line }) => (line ? [line] : []));
  for (const { at, line } of entries) if (!line) out.note(`${path}, line ${at}: no whole line; \`scout-agent audit verify\` tells more`);
  if (options.json) return out.json(lines);
  out.line(table(['time', 'event', 'from → to', 'actor', 'reason'], lines.map(rowOf)));
}

/** The keyring is written before the log: only where it stood still can the two be compared. */
async function check(folder: string, path: string): Promise<Audited> {
  const [{ KEYRING }, { readKeyring }, { verifyAudit }] = await Promise.all([
    import('../../credentials/keyring.ts'),
    import('../../credentials/keyring-file.ts'),
    import('../../rotation/audit.ts'),
  ]);
  const anchorNow = () => readKeyring(join(folder, KEYRING)).audit;
  for (let attempt = 1; ; attempt++) {
    const anchor = anchorNow();
    const audited = verifyAudit(path, anchor);
    if (!audited.fault || attempt === ATTEMPTS || anchorNow()?.hash === anchor?.hash) return audited;
  }
}

/** Of a line that somebody edited nothing is certain, and nothing of it may steer a terminal. */
function rowOf(line: NonNullable<AuditEntry['line']>): string[] {
  const { time, event, from, to, actor, reason } = line;
  const keys = `${from ?? '-'} → ${to ?? '-'}`;
  return [time, event, keys, actor, reason].map((value) => String(value ?? '-').replace(/\p{C}/gu, '\ufffd'));
}

async function findFolder(options: Options): Promise<string> {
  return options.stateDir ?? (await findPlaces(options)).state;
}

async function pathIn(folder: string): Promise<string> {
  const { AUDIT } = await import('../../rotation/store.ts');
  return join(folder, AUDIT);
}
