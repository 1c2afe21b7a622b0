import { packedFrames } from '../postgres/frames.ts';
import type { Cell, CopiedRow, CopiedTable, Kind } from './tables.ts';

/** The type of PostgreSQL that a kind of value is handed over as. */
const TYPES: Readonly<Record<Exclude<Kind, 'bytes'>, string>> = { text: 'text', int: 'bigint', float: 'float8', bool: 'boolean' };

/** Rows as parameters of one statement, what they make up in its FROM, and what is to be selected of that. */
export interface HandedOver {
  sources: string;
  selected: string;
  values: (string | Uint8Array)[];
}

/** An array for each column; bytes as one value, which the server cuts apart: an array of them costs it ten times as much. */
export function handedOver(table: CopiedTable, rows: CopiedRow[]): HandedOver {
  const values: (string | Uint8Array)[] = [];
  const given: string[] = [];
  const add = (value: string | Uint8Array): string => `$${values.push(value)}`;
  const array = (kind: Exclude<Kind, 'bytes'>, cells: Cell[]): string => {
    given.push(`${add(arrayOf(cells))}::text::${TYPES[kind]}[]`);
    return `w.c${given.length}`;
  };
  const selected = Object.values(table.columns).map((kind, column) => {
    const cells = rows.map((row) => row[column] as Cell);
    if (kind !== 'bytes') return array(kind, cells);
    const { bytes, stops, lengths } = packedFrames(cells as Uint8Array[]);
    const [stop, length] = [array('int', stops), array('int', lengths)];
    return `substring(${add(bytes)}::bytea FROM (${stop} - ${length} + 1)::integer FOR ${length}::integer)`;
  });
  const names = given.map((_, index) => `c${index + 1}`).join(', ');
  return { sources: `unnest(${given.join(', ')}) AS w (${names})`, selected: selected.join(', '), values };
}

/** Values as a literal of an array (PostgreSQL manual, 8.15.2). A NUL, which PostgreSQL keeps in no text, becomes U+FFFD. */
function arrayOf(cells: Cell[]): string {
  return `{${cells.map((cell) => (typeof cell === 'string' ? quoted(cell) : String(cell))).join(',')}}`;
}

const quoted = (text: string): string => `"${text.replaceAll('\0', '\uFFFD').replace(/["\\]/g, '\\$&')}"`;
