import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readHeaderFile } from '../../../src/hub/forward/header-file.ts';
import { tempFolder } from '../helpers.ts';

let folder: ReturnType<typeof tempFolder>;
beforeEach(() => {
  folder = tempFolder();
});
afterEach(() => folder.remove());

function file(text: string): string {
  const path = join(folder.path, 'headers');
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

describe('a file of headers', () => {
  it('is read as curl reads it', () => {
    const token = randomBytes(16).toString('hex');
    expect(readHeaderFile(file(`# for Mimir\nAuthorization: Bearer ${token}\r\n\nX-Scope-OrgID:  infra \n`))).toEqual({
      authorization: `Bearer ${token}`,
      'x-scope-orgid': 'infra',
    });
    expect(readHeaderFile(file(''))).toEqual({});
  });

  it.each(['Bearer x', 'Authorization:', 'a b: c', 'Content-Type: text/plain', 'host: elsewhere', 'x: \u0007'])(
    'is refused: %j',
    (line) => {
      expect(() => readHeaderFile(file(`X-Good: 1\n${line}\n`))).toThrow(expect.objectContaining({ code: 'HUB_SECRET_FILE' }));
      expect(() => readHeaderFile(file(`X-Good: 1\n${line}\n`))).toThrow(/line 2/);
    },
  );
});
