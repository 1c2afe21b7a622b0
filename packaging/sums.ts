import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SUMS = 'SHA256SUMS';

/** Writes SHA256SUMS of all that stands in a folder, as sha256sum(1) reads it: also of what earlier builds left there. */
export function writeSums(folder: string): void {
  const files = readdirSync(folder, { withFileTypes: true }).filter((one) => one.isFile() && one.name.startsWith('scout-'));
  const lines = files.map(({ name }) => `${sha256(join(folder, name))}  ${name}\n`);
  writeFileSync(join(folder, SUMS), lines.sort((one, other) => (one.slice(66) < other.slice(66) ? -1 : 1)).join(''));
}

const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
