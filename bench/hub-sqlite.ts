/**
 * What `bench/hub.ts` holds the hub against: rows of the same bytes into one table, in WAL mode, each transaction on disk
 * before the next. Arguments: folder, file with the frames (node:v8's serialize), rows a transaction, seconds.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { deserialize } from 'node:v8';

const [folder, file, size, seconds] = process.argv.slice(2) as [string, string, string, string];
const frames: Buffer[] = deserialize(readFileSync(file));
const own = mkdtempSync(join(folder, 'sqlite-'));
const database = new DatabaseSync(join(own, 'rows.db'));
database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE rows (number INTEGER PRIMARY KEY, frame BLOB NOT NULL)');
const insert = database.prepare('INSERT INTO rows (frame) VALUES (?)');
const [start, before] = [performance.now(), process.cpuUsage()];
let rows = 0;
while (performance.now() - start < Number(seconds) * 1_000) {
  database.exec('BEGIN IMMEDIATE');
  for (let index = 0; index < Number(size); index++) insert.run(frames[rows++ % frames.length] as Buffer);
  database.exec('COMMIT');
}
const { user, system } = process.cpuUsage(before);
process.stdout.write(
  JSON.stringify({ perSecond: rows / ((performance.now() - start) / 1_000), perCpuSecond: rows / ((user + system) / 1e6) }),
);
database.close();
rmSync(own, { recursive: true });
