import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { Refusal } from '../../../src/hub/http/problems.ts';
import { Failures } from '../../../src/hub/ingest/failures.ts';
import { ScoutError } from '../../../src/support/errors.ts';

function failures() {
  const lines: object[] = [];
  const time = { now: 0 };
  const log = { debug() {}, info() {}, warn() {}, error: (fields: object) => void lines.push(fields) };
  return { judge: new Failures({ log, monotonic: () => time.now }), lines, time };
}

/** What SQLite throws when it finds no room: here a database that may have ten pages. */
function full(): unknown {
  const database = new DatabaseSync(':memory:');
  database.exec('PRAGMA max_page_count = 10; CREATE TABLE t (b BLOB)');
  try {
    database.prepare('INSERT INTO t VALUES (?)').run(Buffer.alloc(1_000_000));
  } catch (error) {
    return error;
  } finally {
    database.close();
  }
  throw new Error('there was room');
}

it('a full disk is 507, a database that is away 503, and both say when to come again', () => {
  const { judge, lines } = failures();
  expect(judge.judge(full())).toMatchObject({ status: 507, code: 'storage_full', headers: { 'retry-after': '10' } });
  expect(judge.judge(new ScoutError('HUB_DATABASE', { name: 'x', detail: 'y' }))).toMatchObject({
    status: 503,
    code: 'not_ready',
    headers: { 'retry-after': expect.any(String) },
  });
  expect(judge.judge(new Error('surprise'))).toMatchObject({ status: 500, code: 'internal' });
  // Of the database the store itself has told.
  expect(lines).toHaveLength(2);
});

it('what a client did wrong stays what it is, and so does that there is no room: neither is logged', () => {
  const { judge, lines } = failures();
  for (const refusal of [new Refusal('heartbeat_invalid', 'x'), new Refusal('busy', 'x')]) expect(judge.judge(refusal)).toBe(refusal);
  expect(lines).toEqual([]);
});

it('a failure that lasts is logged once a minute, with how often it was not', () => {
  const { judge, lines, time } = failures();
  for (time.now = 0; time.now < 60_000; time.now += 1_000) judge.judge(new Error('again'));
  judge.judge(new Error('again'));
  expect(lines).toHaveLength(2);
  expect(lines[1]).toMatchObject({ suppressed: 59 });
});
