import { randomUUID } from 'node:crypto';
import type { Opened } from './database.ts';

/** Who counts, and where the counting stands. */
export interface Counters {
  instance: string;
  /** Number of the next heartbeat. */
  sequence: number;
  /** Position of the next row. */
  position: number;
  /** Position of the oldest row; `position` when there is none. */
  first: number;
  machine: string | null;
  /** When the file was made; null where its file system does not tell. */
  born: string | null;
  /** It was not closed when it was last used. */
  wasOpen: boolean;
  /** Why a new instance begins although the file has an older one. */
  renewed: 'cloned' | 'restored' | 'rolled-back' | undefined;
}

interface Meta {
  instance: string;
  sequence: number;
  position: number;
  machine: string | null;
  open: number;
  born: string | null;
}

/**
 * Reads the counters of a file that was just opened. A new instance begins wherever the counter may be behind what was
 * sent: the file is new, it was cloned to another machine, it is a copy that took the place of the one that was used last
 * (a backup that was put back), or a part of its log went missing after a crash. `vouched` is what the process itself still
 * knows; it settles these last doubts.
 */
export function readCounters({ db, rolledBack, born }: Opened, machine?: string, vouched?: { instance: string; next: number }): Counters {
  const meta = db.prepare('SELECT * FROM meta').get() as unknown as Meta | undefined;
  const last = (db.prepare('SELECT max(position) AS last FROM heartbeats').get() as { last: number | null }).last ?? 0;
  const { first } = db.prepare('SELECT min(position) AS first FROM heartbeats').get() as { first: number | null };
  const position = Math.max(meta?.position ?? 1, last + 1);
  const counters = {
    position,
    first: first ?? position,
    machine: machine ?? meta?.machine ?? null,
    born: born ?? meta?.born ?? null,
    wasOpen: meta?.open === 1,
  };

  const known = meta !== undefined && vouched?.instance === meta.instance && vouched.next === meta.sequence;
  let renewed: Counters['renewed'];
  if (machine !== undefined && meta?.machine != null && meta.machine !== machine) renewed = 'cloned';
  else if (meta?.born != null && born !== null && meta.born !== born && !known) renewed = 'restored';
  else if (meta && ((meta.open === 1 && rolledBack && !known) || last >= meta.position)) renewed = 'rolled-back';
  if (!meta || renewed) return { ...counters, renewed, instance: randomUUID(), sequence: 1 };
  return { ...counters, renewed, instance: meta.instance, sequence: meta.sequence };
}
