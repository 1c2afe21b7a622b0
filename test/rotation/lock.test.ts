import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RotationLock } from '../../src/rotation/lock.ts';
import { Running } from '../helpers/programs.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(os.tmpdir(), 'scout-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const SOURCE = fileURLToPath(new URL('../../src/rotation/lock.ts', import.meta.url));

/** Another process that has the lock. */
async function holder(): Promise<Running> {
  const script = join(folder, 'holder.mjs');
  writeFileSync(
    script,
    `import { RotationLock } from ${JSON.stringify(SOURCE)};
new RotationLock(process.argv[2]).acquire();
console.log('it has it');
setInterval(() => {}, 60_000);
`,
  );
  const running = new Running(script, [folder]);
  await running.said('it has it');
  return running;
}

const busy = (pid: number | undefined) =>
  expect.objectContaining({ code: 'ROTATE_BUSY', exit: 75, message: expect.stringContaining(`process ${pid ?? 'unknown'}`) });

it('is one for a folder, and can be had again when it was let go of', () => {
  const [one, other] = [new RotationLock(folder), new RotationLock(folder)];
  one.acquire();
  expect(() => other.acquire()).toThrow(busy(process.pid));
  one.release();
  other.acquire();
  expect(() => one.acquire()).toThrow(busy(process.pid));
  other.release();
  other.release();
});

it.each(['SIGKILL', 'SIGTERM'] as const)('names the process that has it, and ends with that, by %s', async (signal) => {
  const running = await holder();
  const lock = new RotationLock(folder);
  try {
    expect(() => lock.acquire()).toThrow(busy(running.child.pid));
    expect(Number(readFileSync(join(folder, 'rotate.lock.pid'), 'latin1'))).toBe(running.child.pid);
  } finally {
    expect(await running.end(signal)).toBe(signal);
  }
  lock.acquire();
  expect(() => new RotationLock(folder).acquire()).toThrow(busy(process.pid));
  lock.release();
});

it('does without the number', () => {
  const lock = new RotationLock(folder);
  lock.acquire();
  for (const text of ['', 'x', '-1']) {
    writeFileSync(join(folder, 'rotate.lock.pid'), text);
    expect(() => new RotationLock(folder).acquire()).toThrow(busy(undefined));
  }
  rmSync(join(folder, 'rotate.lock.pid'));
  expect(() => new RotationLock(folder).acquire()).toThrow(busy(undefined));
  lock.release();
});

it('says that a folder cannot be written', () => {
  expect(() => new RotationLock(join(folder, 'none')).acquire()).toThrow(expect.objectContaining({ code: 'FILE_UNWRITABLE' }));
});

it('takes nothing through a link', () => {
  writeFileSync(join(folder, 'other'), 'untouched');
  for (const target of ['other', 'none']) {
    symlinkSync(join(folder, target), join(folder, 'rotate.lock'));
    expect(() => new RotationLock(folder).acquire()).toThrow(expect.objectContaining({ code: 'FILE_UNWRITABLE' }));
    rmSync(join(folder, 'rotate.lock'));
  }
  expect(existsSync(join(folder, 'none'))).toBe(false);
  expect(readFileSync(join(folder, 'other'), 'utf8')).toBe('untouched');
});

it.skipIf(process.getuid?.() !== 0)("is the folder's owner's when root takes it, who reaches no further than that owner", () => {
  const inner = join(folder, 'state');
  mkdirSync(inner, { mode: 0o700 });
  chmodSync(folder, 0o711);
  chownSync(inner, 12_345, 23_456);
  writeFileSync(join(folder, 'other'), 'untouched');
  symlinkSync(join(folder, 'other'), join(inner, 'rotate.lock.pid'));
  const groups = process.getgroups?.();
  const lock = new RotationLock(inner);
  lock.acquire();
  expect([process.geteuid?.(), process.getegid?.(), process.getgroups?.()]).toEqual([0, 0, groups]);
  expect(statSync(join(inner, 'rotate.lock'))).toMatchObject({ uid: 12_345, gid: 23_456 });
  expect(readFileSync(join(folder, 'other'), 'utf8')).toBe('untouched');
  expect(() => new RotationLock(inner).acquire()).toThrow(expect.objectContaining({ code: 'ROTATE_BUSY' }));
  lock.release();
});
