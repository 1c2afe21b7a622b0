import type { Cell, Kind } from './tables.ts';

/** The type of PostgreSQL that a kind of value is handed over as. */
export const TYPES: Readonly<Record<Kind, string>> = { text: 'text', int: 'bigint', float: 'float8', bool: 'boolean', bytes: 'bytea' };

/** Values as a literal of an array (PostgreSQL manual, 8.15.2). A NUL, which PostgreSQL keeps in no text, becomes U+FFFD. */
export function arrayOf(kind: Kind, cells: Cell[]): string {
  return `{${cells.map((cell) => (cell === null ? 'NULL' : elementOf(kind, cell))).join(',')}}`;
}

function elementOf(kind: Kind, cell: NonNullable<Cell>): string {
  if (kind === 'bytes') return `"\\\\x${Buffer.from(cell as Uint8Array).toString('hex')}"`;
  if (kind === 'text') return `"${String(cell).replaceAll('\0', '\uFFFD').replace(/["\\]/g, '\\$&')}"`;
  return String(cell);
}
