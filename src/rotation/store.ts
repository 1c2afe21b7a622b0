import { closeSync, constants, existsSync, fchownSync, fstatSync, fsyncSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KEYRING, type Keyring } from '../credentials/keyring.ts';
import { isAuditLine, readKeyring, writeKeyring } from '../credentials/keyring-file.ts';
import { type Opening, openSecret } from '../secrets/open.ts';
import { sealHere } from '../secrets/seal.ts';
import { syncFolder } from '../support/atomic.ts';
import { detailOf, ScoutError } from '../support/errors.ts';
import { ownerOf } from '../support/owner.ts';
import { readAudit } from './audit.ts';
import type { AuditLine } from './journal.ts';
import type { KeyringStore } from './ports.ts';

/** Name of the audit log in the state folder. */
export const AUDIT = 'audit.jsonl';

/** A line is some 400 bytes; where the last one begins is found within this. */
const TAIL_BYTES = 65_536;

/** Whether keys are sealed in the keyring: always, never, or where there is a host key or one can be made. */
export type Sealing = 'must' | 'may' | 'no';

/** Keys are sealed wherever the agent is known to be able to open them. */
export function decideSealing(known: { configuredIsSealed: boolean; sameOwner: boolean; agentOpensSealed: boolean }): Sealing {
  if (known.configuredIsSealed) return 'must';
  return known.sameOwner || known.agentOpensSealed ? 'may' : 'no';
}

/** The keyring and the audit log of a state folder. */
export class FileKeyringStore implements KeyringStore {
  readonly #folder: string;
  readonly #options: { sealing: Sealing; opening: Opening };

  constructor(folder: string, options: { sealing: Sealing; opening: Opening }) {
    this.#folder = folder;
    this.#options = options;
  }

  /** Where a damaged keyring was moved aside, the log goes on from its last line. */
  read(): Keyring {
    const keyring = readKeyring(join(this.#folder, KEYRING));
    return keyring.audit ? keyring : { ...keyring, audit: lastLine(join(this.#folder, AUDIT)) };
  }

  write(keyring: Keyring): void {
    writeKeyring(join(this.#folder, KEYRING), keyring);
  }

  append(line: AuditLine): void {
    const path = join(this.#folder, AUDIT);
    try {
      this.#append(path, line);
    } catch (error) {
      throw new ScoutError('FILE_UNWRITABLE', { path, detail: detailOf(error) }, {}, { cause: error });
    }
  }

  seal(name: string, text: string): string {
    const { sealing, opening } = this.#options;
    if (sealing === 'no') return text;
    try {
      const made = sealHere(name, text, opening);
      if ('fault' in made) throw ScoutError.of(made.fault);
      return made.token;
    } catch (error) {
      // A user who can keep no host key has the key in plain in the configuration, too.
      if (sealing === 'may' && error instanceof ScoutError) return text;
      throw error;
    }
  }

  open(name: string, kept: string): string {
    const opened = openSecret({ label: name, field: name, text: kept }, this.#options.opening);
    if (opened.ok) return opened.value;
    // What mends a value of the configuration mends none of these: only the right host key does.
    const { code, message } = opened.problem;
    if (code === 'HOST_KEY_UNREADABLE') throw ScoutError.of(opened.problem);
    throw new ScoutError('KEYRING_SEALED', { path: join(this.#folder, KEYRING), detail: message });
  }

  #append(path: string, line: AuditLine): void {
    const isNew = !existsSync(path);
    // Root writes here in a folder that belongs to another: a link laid there must not lead it elsewhere.
    const fd = openSync(path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      const owner = isNew ? ownerOf(this.#folder) : undefined;
      if (owner) fchownSync(fd, owner.uid, owner.gid);
      const { last, rest } = tailOf(fd);
      const text = JSON.stringify(line);
      if (last?.hash === line.hash) return;
      // What a crash left of a line is ended, so that the next one stands by itself; it may want its end only.
      writeFileSync(fd, rest === text ? '\n' : `${rest === '' ? '' : '\n'}${text}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    if (isNew) syncFolder(this.#folder);
  }
}

/** The last whole line of a log; null where there is none. Throws FILE_UNREADABLE. */
function lastLine(path: string): AuditLine | null {
  if (!existsSync(path)) return null;
  return readAudit(path).findLast(({ line }) => isAuditLine(line))?.line ?? null;
}

/** The last line that was ended, where it can be read, and what follows it. */
function tailOf(fd: number): { last: { hash?: unknown } | undefined; rest: string } {
  const { size } = fstatSync(fd);
  const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES));
  readSync(fd, bytes, 0, bytes.length, size - bytes.length);
  const lines = bytes.toString('utf8').split('\n');
  const rest = lines.pop() ?? '';
  try {
    return { last: JSON.parse(lines.at(-1) ?? '') as { hash?: unknown }, rest };
  } catch {
    return { last: undefined, rest };
  }
}
