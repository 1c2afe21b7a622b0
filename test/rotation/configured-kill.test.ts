import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { thumbprint } from '../../src/credentials/private-key.ts';
import type { Values } from '../../src/credentials/values.ts';
import { freshKey } from '../config/scratch.ts';
import { freshRsa } from '../credentials/scratch-keys.ts';
import { Home, key } from './home.ts';

const CHILD = fileURLToPath(new URL('replace-child.ts', import.meta.url));

let home: Home;
beforeEach(() => {
  home = new Home();
});

describe('a process that is killed in the middle of it', () => {
  const CALLS = ['openat', 'write', 'fsync', 'fchmod', 'fchown', 'rename', 'unlink', 'vfork', 'clone', 'clone3'];
  const strace = spawnSync('strace', ['-V']).status === 0;

  /** Replaces in a process of its own under strace(1); its main thread does all the work. */
  function traced(args: string[], input: unknown): string | null {
    const all = ['-qq', '-e', 'signal=none', '-e', `trace=${CALLS.join(',')}`, ...args, process.execPath, CHILD];
    return spawnSync('strace', all, { encoding: 'utf8', input: JSON.stringify(input) }).stdout;
  }

  it.skipIf(!strace)(
    'leaves the old credential or the new one, whole, and the next one goes on (needs strace)',
    { timeout: 180_000 },
    () => {
      const pair = (): Values => {
        const { text: privateKey, privateKey: made } = freshRsa();
        const kid = thumbprint(made).toString('base64url');
        return { 'api.private_key': privateKey, 'api.credential_id': randomBytes(8).toString('hex'), 'api.kid': kid };
      };
      const [one, two] = [pair(), pair()];
      const write = (values: Values) => {
        rmSync(home.folder, { recursive: true });
        const lines = Object.entries(values).map(([name, value]) => `  ${name.slice(4)}: ${value}\n`);
        return home.file('a.yml', `api:\n${lines.join('')}interval: 5s\n`, 0o640);
      };
      const input = { options: home.options('a.yml'), expected: one, values: two };

      write(one);
      const log = path.join(home.root, 'trace');
      expect(traced(['-y', '-o', log], input)).toBe('done');
      const goal = home.text('a.yml');
      // strace counts the calls of each name by themselves.
      const seen: Record<string, number> = {};
      const points = readFileSync(log, 'latin1')
        .split('\n')
        .flatMap((line) => {
          const name = /^\w+(?=\()/.exec(line)?.[0];
          if (!name) return [];
          seen[name] = (seen[name] ?? 0) + 1;
          const touches = line.includes(home.folder) && !line.includes('O_RDONLY');
          return touches || /^(vfork|clone3?)\(/.test(line) ? [{ name, when: seen[name] }] : [];
        });
      expect(points.map(({ name }) => name)).toEqual(expect.arrayContaining(['openat', 'write', 'fsync', 'rename']));

      const outcomes = new Set<string>();
      for (const { name, when } of points) {
        write(one);
        const start = home.text('a.yml');
        expect(traced(['-o', '/dev/null', '-e', `inject=${name}:signal=KILL:when=${when}`], input)).toBe('');
        const now = home.text('a.yml');
        outcomes.add(now === start ? 'old' : now === goal ? 'new' : `torn at ${name} ${when}`);
        expect(statSync(path.join(home.folder, 'a.yml')).mode & 0o777).toBe(0o640);
        // A copy that is left holds the key as well: closed as the file is.
        for (const left of readdirSync(home.folder)) expect(statSync(path.join(home.folder, left)).mode & 0o037).toBe(0);
        expect(home.configured().read()).toEqual(now === start ? one : two);
        const [from, to] = now === start ? [one, two] : [two, one];
        expect(home.configured().replace(from, to)).toBe('done');
      }
      expect([...outcomes].sort()).toEqual(['new', 'old']);
    },
  );

  it('a copy that it left is taken away by the next one, once it is old', () => {
    const [old, now] = [freshKey(), freshKey()];
    home.file('a.yml', `api:\n  key: ${old}\n`);
    const mine = home.file('.a.yml.0123456789ab', 'left');
    home.file('.a.yml.swp', 'an editor’s');
    expect(home.configured().replace(key(old), key(now))).toBe('done');
    // Too young: another process may be about to use it.
    expect(existsSync(mine)).toBe(true);
    expect(readdirSync(home.folder).sort()).toEqual(['.a.yml.0123456789ab', '.a.yml.swp', 'a.yml']);

    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 120_000 });
    onTestFinished(() => void vi.useRealTimers());
    expect(home.configured().replace(key(now), key(old))).toBe('done');
    expect(readdirSync(home.folder).sort()).toEqual(['.a.yml.swp', 'a.yml']);
  });
});
