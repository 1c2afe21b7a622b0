import { readFileSync } from 'node:fs';
import { faultOf } from '../support/chain.ts';
import { detailOf, ScoutError } from '../support/errors.ts';
import type { AuditLine } from './journal.ts';

/** What one line of the file holds. */
export interface AuditEntry {
  /** Number of the line in the file, from 1. */
  at: number;
  /** As it stands there, without its end. */
  bytes: Buffer;
  /** Undefined where that is no JSON object: what a crash left of a line, or what somebody put there. */
  line: AuditLine | undefined;
}

/** What the check of a log came to. */
export interface Audited {
  /** How many lines follow from each other, up to the first fault. */
  lines: number;
  /** What is unusual and no fault. */
  notes: string[];
  /** The first fault. */
  fault?: AuditFault;
}

interface AuditFault {
  /** Number of the line in the file, from 1. */
  at: number;
  detail: string;
}

const LINE_END = 0x0a;

/** The log's lines, broken ones too. Throws AUDIT_ABSENT, FILE_UNREADABLE. */
export function readAudit(path: string): AuditEntry[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new ScoutError('AUDIT_ABSENT', { path });
    throw new ScoutError('FILE_UNREADABLE', { path, detail: detailOf(error) }, {}, { cause: error });
  }
  return splitLines(bytes).map((one, index) => ({ at: index + 1, bytes: one, line: parse(one) }));
}

/**
 * Checks a log: each line by its hash and the one before, and the end by `anchor`, the last line as the keyring holds
 * it (null: there is no keyring, so the end cannot be checked). What a crash left of a line is no fault where the whole
 * line follows. Throws AUDIT_ABSENT, FILE_UNREADABLE.
 */
export function verifyAudit(path: string, anchor: AuditLine | null): Audited {
  const entries = entriesOf(path, anchor);
  const audited: Audited = { lines: 0, notes: [] };
  let last: AuditLine | null = null;
  let torn: AuditEntry[] = [];
  for (const entry of entries) {
    if (!entry.line) {
      torn.push(entry);
      continue;
    }
    const fault = tornFault(torn, entry.bytes, audited) ?? lineFault(entry, entry.line, last);
    if (fault) return { ...audited, fault };
    torn = [];
    last = entry.line;
    audited.lines++;
  }
  const due = anchor && last?.hash !== anchor.hash && faultOf(anchor, last) === undefined ? anchor : null;
  const fault = tornFault(torn, due && bytesOf(due), audited) ?? (due ? undefined : endFault(last, anchor, entries.length));
  if (!anchor) audited.notes.push('there is no keyring: nothing tells whether lines are missing at the end');
  if (due) audited.notes.push(`line ${due.seq} is in the keyring only: a crash came between the two, and the next rotation adds it`);
  return { ...audited, ...(fault && { fault }) };
}

/** A log that is not there is an empty one to a keyring that knows of lines. */
function entriesOf(path: string, anchor: AuditLine | null): AuditEntry[] {
  try {
    return readAudit(path);
  } catch (error) {
    if (error instanceof ScoutError && error.code === 'AUDIT_ABSENT' && anchor) return [];
    throw error;
  }
}

function lineFault({ at, bytes }: AuditEntry, line: AuditLine, before: AuditLine | null): AuditFault | undefined {
  const detail = faultOf(line, before);
  if (detail) return { at, detail };
  // The hash is over what the line says; how it says that must not have changed either.
  return bytesOf(line).equals(bytes) ? undefined : { at, detail: 'it is not written as it was: it was edited' };
}

/** A crash leaves the beginning of a line, after a power loss perhaps with zeros for its rest; then the whole line was added. */
function tornFault(torn: AuditEntry[], whole: Buffer | null, { notes }: Audited): AuditFault | undefined {
  for (const { at, bytes } of torn) {
    const length = bytes.findLastIndex((byte) => byte !== 0) + 1;
    if (bytes.length === 0 || !whole?.subarray(0, length).equals(bytes.subarray(0, length)))
      return { at, detail: 'it is no line of the log: it was edited or added' };
    notes.push(`line ${at} was cut short by a crash; the whole of it comes after`);
  }
  return undefined;
}

function endFault(last: AuditLine | null, anchor: AuditLine | null, at: number): AuditFault | undefined {
  if (!anchor) return undefined;
  const fault = (detail: string): AuditFault => ({ at: Math.max(at, 1), detail });
  if (last?.hash === anchor.hash)
    return bytesOf(last).equals(bytesOf(anchor)) ? undefined : fault('the copy of it in the keyring says otherwise: that was edited');
  const seq = last?.seq ?? 0;
  if (anchor.seq > seq) return fault(`the log ends here, and by the keyring it has ${anchor.seq} lines: its end was cut off`);
  if (anchor.seq === seq) return fault('the keyring holds another line of this number: it was replaced');
  return fault(`by the keyring the log has ${anchor.seq} lines: others were added, or the keyring is an older one`);
}

/** A line as it is written. */
const bytesOf = (line: AuditLine): Buffer => Buffer.from(JSON.stringify(line));

function splitLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < bytes.length; ) {
    const found = bytes.indexOf(LINE_END, start);
    const end = found < 0 ? bytes.length : found;
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return lines;
}

function parse(bytes: Buffer): AuditLine | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as AuditLine) : undefined;
  } catch {
    return undefined;
  }
}
