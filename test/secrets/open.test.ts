import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isReference, openSecret } from '../../src/secrets/open.ts';

function credentials(content: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'scout-secrets-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(path.join(folder, 'key'), content);
  return folder;
}

const open = (text: string, env: NodeJS.ProcessEnv, place = {}) =>
  openSecret({ label: 'api.key', field: 'api.key', text }, { env, uid: 0 }, place);

describe('openSecret', () => {
  it('takes plain text as it is', () => {
    expect(open(' plain ', {})).toEqual({ ok: true, value: ' plain ', files: [] });
  });

  it.each(['secret', 'secret\n', 'secret\r\n'])('reads a systemd credential holding %j', (content) => {
    const folder = credentials(content);
    const opened = open('systemd-cred:key', { CREDENTIALS_DIRECTORY: folder });
    expect(opened).toEqual({ ok: true, value: 'secret', files: [path.join(folder, 'key')] });
  });

  it.each(['systemd-cred:absent', 'systemd-cred:', 'systemd-cred:..', 'systemd-cred:a/b'])('names what is wrong with %s', (text) => {
    const opened = open(text, { CREDENTIALS_DIRECTORY: credentials('x') }, { file: 'f', line: 2 });
    expect(opened).toMatchObject({ ok: false, problem: { code: 'KEY_CREDENTIAL', file: 'f', line: 2 } });
  });

  it('says when there are no credentials at all, and what is no whole sealed value', () => {
    expect(open('systemd-cred:key', {})).toMatchObject({
      problem: { message: expect.stringContaining('CREDENTIALS_DIRECTORY') },
    });
    expect(open('enc:v1:hkdf:a:b:c', {})).toMatchObject({ ok: false, problem: { code: 'SEALED_MALFORMED' } });
  });
});

it('isReference tells pointers and sealed values from secrets', () => {
  expect(['systemd-cred:a', 'enc:v1:x', 'plain'].map(isReference)).toEqual([true, true, false]);
});
