import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { copyHub } from '../../../../src/hub/store/copy/copy.ts';
import type { Place } from '../../../../src/hub/store/open.ts';
import { Postgres } from '../../../helpers/postgres.ts';
import { tempFolder } from '../../helpers.ts';
import { content, dump, make } from './content.ts';

let server: Postgres;
let folder: ReturnType<typeof tempFolder>;
beforeAll(async () => {
  server = await Postgres.start();
});
afterAll(() => server.remove());
beforeEach(() => {
  folder = tempFolder();
});
afterEach(() => folder.remove());

let count = 0;
function freshFolder(): { data: string; file: string } {
  const data = join(folder.path, String(++count));
  mkdirSync(data);
  return { data, file: join(data, 'hub.db') };
}
const freshSchema = (): Place => ({ data: folder.path, database: server.url(server.freshSchema()) });

describe('a copy', () => {
  it('is all that there was, there and back', async () => {
    await fc.assert(
      fc.asyncProperty(content, async (what) => {
        const [from, between, back] = [freshFolder(), freshSchema(), freshFolder()];
        make(from.file, what);
        const before = dump(from.file);
        await copyHub(from, between);
        await copyHub(between, back);
        expect(dump(back.file)).toEqual(before);
        expect(dump(from.file)).toEqual(before);
      }),
      { numRuns: 12 },
    );
  });
});
