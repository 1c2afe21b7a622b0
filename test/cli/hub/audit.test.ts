import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withStore } from '../../../src/cli/hub/common.ts';
import { addServer } from '../../../src/hub/servers.ts';
import { tempFolder } from '../../hub/helpers.ts';
import { scoutHub } from './helpers.ts';

let folder: ReturnType<typeof tempFolder>;
let data: string;
beforeEach(async () => {
  folder = tempFolder();
  data = join(folder.path, 'hub');
  for (const name of ['a', 'b', 'c']) await grow(name);
});
afterEach(() => folder.remove());

const grow = (name: string) => withStore({ data }, (store) => addServer({ store, now: Date.now, org: 'default' }, name, 'grace', 0));
const verify = (...args: string[]) => scoutHub(['audit', 'verify', ...args]);
const lines = async () => JSON.parse((await scoutHub(['audit', 'list', '--json', '--data', data])).stdout) as { hash: string }[];
const file = (name: string, content: unknown): string => {
  const path = join(folder.path, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
};
/** What somebody does who may write the database: the triggers are no lock. */
function sql(statements: string): void {
  const database = new DatabaseSync(join(data, 'hub.db'));
  database.exec(`DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete; ${statements}`);
  database.close();
}

describe('audit verify', () => {
  it('tells number and hash of the last line, and by that hash or an export of then sees whether lines are gone', async () => {
    const kept = await lines();
    const [hash, from] = [kept[2]?.hash as string, file('kept.json', kept)];
    expect((await verify('--data', data)).stdout).toBe(`3 lines, each as it was written; line 3, the last, has hash ${hash}.\n`);
    await grow('d');
    for (const args of [
      ['--expect', hash],
      ['--from', from],
      ['--expect', hash, '--from', from],
    ]) {
      const { status, stdout } = await verify('--data', data, '--json', ...args);
      expect([status, JSON.parse(stdout)]).toEqual([0, { ok: true, lines: 4, last: (await lines())[3]?.hash }]);
    }
    sql('DELETE FROM audit WHERE seq > 2');
    expect(JSON.parse((await verify('--data', data, '--json')).stdout)).toMatchObject({ ok: true, lines: 2 });
    expect(await verify('--data', data, '--expect', hash)).toMatchObject({ status: 1, stderr: expect.stringContaining('HUB_AUDIT_OTHER') });
    const { status, stdout } = await verify('--data', data, '--from', from, '--json');
    expect([status, JSON.parse(stdout)]).toMatchObject([
      1,
      { ok: false, code: 'HUB_AUDIT_OTHER', message: expect.stringContaining('line 2') },
    ]);
  });

  it('sees by an export that the end was cut and grown again', async () => {
    const from = file('kept.json', await lines());
    sql('DELETE FROM audit WHERE seq > 2');
    await grow('d');
    await grow('e');
    expect((await verify('--data', data)).status).toBe(0);
    expect(await verify('--data', data, '--from', from)).toMatchObject({ status: 1, stderr: expect.stringContaining('line 3 is not') });
  });

  it('checks a file without a hub', async () => {
    const kept = await lines();
    const whole = file('kept.json', kept);
    const nowhere = join(folder.path, 'none');
    expect(await verify('--file', whole, '--data', nowhere)).toMatchObject({ status: 0, stdout: expect.stringContaining('3 lines') });
    expect((await verify('--file', whole, '--from', whole)).status).toBe(0);
    const asLines = kept.map((line) => `${JSON.stringify(line)}\n`).join('');
    expect((await verify('--file', file('kept.jsonl', asLines), '--from', whole)).status).toBe(0);
    const edited = readFileSync(whole, 'utf8').replace('"server:b"', '"server:x"');
    for (const wrong of [
      edited,
      [kept[0], kept[2]],
      [kept[1], kept[2]],
      [kept[0], null, kept[2]],
      [7],
      [{}],
      asLines.replace('server:b', 'server:x'),
      `${asLines}{`,
    ]) {
      const { status, stderr } = await verify('--file', file('wrong.json', wrong));
      expect([status, stderr]).toEqual([1, expect.stringContaining('HUB_AUDIT_BROKEN')]);
    }
    expect(JSON.parse((await verify('--json', '--file', file('wrong.json', edited))).stdout)).toMatchObject({
      ok: false,
      code: 'HUB_AUDIT_BROKEN',
    });
    for (const none of ['', '{}', 'LINE  TIME', '[{]']) {
      const { status, stderr } = await verify('--file', file('none.json', none));
      expect([status, stderr]).toEqual([1, expect.stringContaining('HUB_AUDIT_FILE')]);
    }
    expect(await verify('--file', nowhere)).toMatchObject({ status: 77, stderr: expect.stringContaining('FILE_UNREADABLE') });
    expect((await verify('--file', file('empty.json', '[]'))).stdout).toContain('0 lines');
  });

  it('wants a whole hash', async () => {
    for (const hash of ['', 'x', 'a'.repeat(63), 'A'.repeat(64)])
      expect(await verify('--data', data, '--expect', hash)).toMatchObject({ status: 64, stderr: expect.stringContaining('--expect') });
  });
});
