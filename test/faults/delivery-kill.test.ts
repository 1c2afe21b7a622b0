import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { openToRead, verifyOutbox } from '../../src/delivery/inspect.ts';

const KILLS = 60;
const child = fileURLToPath(new URL('delivery-child.ts', import.meta.url));

/** Runs the child until it has said `lines` lines and a little more, kills it, and returns all that it said. */
function runAndKill(path: string, lines: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const process_ = spawn(process.execPath, [child, path], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    let complaint = '';
    process_.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.split('\n').length > lines) process_.kill('SIGKILL');
    });
    process_.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint += text;
    });
    process_.on('error', reject);
    process_.on('close', (_, signal) => {
      if (signal !== 'SIGKILL' || complaint) reject(new Error(`the child ended by itself: ${complaint}`));
      // A line may be cut by the kill; what it tells of is stored all the same.
      else resolve(said.split('\n').slice(0, -1));
    });
  });
}

it(`keeps all that append returned through ${KILLS} kill -9, and uses no number twice`, async () => {
  const folder = mkdtempSync(join(os.tmpdir(), 'scout-kill-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'outbox.db');
  const said: string[] = [];
  for (let i = 0; i < KILLS; i++) said.push(...(await runAndKill(path, 1 + Math.floor(Math.random() * 60))));

  expect(new Set(said).size).toBe(said.length);
  const db = openToRead(path);
  const stored = new Set(
    db
      .prepare('SELECT instance, sequence FROM heartbeats')
      .all()
      .map((row) => `${row.instance} ${row.sequence}`),
  );
  const { faults } = verifyOutbox(db);
  db.close();
  expect(faults).toEqual([]);
  expect(said.filter((line) => !stored.has(line))).toEqual([]);

  // Of each instance nothing is missing between the first and the last.
  const counts = new Map<string, number[]>();
  for (const line of stored) {
    const [instance, sequence] = line.split(' ') as [string, string];
    counts.set(instance, [...(counts.get(instance) ?? []), Number(sequence)]);
  }
  for (const numbers of counts.values()) expect(Math.max(...numbers)).toBe(numbers.length);
});
