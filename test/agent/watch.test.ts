import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Watch } from '../../src/agent/watch.ts';

describe('Watch', () => {
  let folder: string;
  let changes = 0;
  let watch: Watch;
  const file = () => join(folder, 'config.yml');

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
    folder = mkdtempSync(join(os.tmpdir(), 'scout-watch-'));
    changes = 0;
    writeFileSync(file(), 'one');
    watch = new Watch(
      () => [file(), join(folder, 'conf.d')],
      () => {
        changes += 1;
      },
    );
    watch.start();
  });
  afterEach(() => {
    watch.stop();
    vi.useRealTimers();
    rmSync(folder, { recursive: true });
  });

  const look = () => vi.advanceTimersByTime(5_300);

  it('stays quiet while nothing changes', () => {
    look();
    look();
    expect(changes).toBe(0);
  });

  it('tells once of a file written in place, replaced by rename, removed, or given another mode or time', () => {
    writeFileSync(file(), 'two, longer');
    look();
    expect(changes).toBe(1);
    writeFileSync(`${file()}.new`, 'two, longer');
    renameSync(`${file()}.new`, file());
    look();
    expect(changes).toBe(2);
    utimesSync(file(), 1, 1);
    look();
    expect(changes).toBe(3);
    rmSync(file());
    look();
    look();
    expect(changes).toBe(4);
  });

  it('tells of a conf.d that appears, and of a file added to it', () => {
    mkdirSync(join(folder, 'conf.d'));
    look();
    expect(changes).toBe(1);
    writeFileSync(join(folder, 'conf.d', '10-more.yml'), 'x');
    look();
    expect(changes).toBe(2);
  });

  it('follows the links by which Kubernetes replaces a mounted secret', () => {
    rmSync(file());
    for (const [name, text] of [
      ['..1', 'old'],
      ['..2', 'new'],
    ] as const) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'config.yml'), text);
    }
    symlinkSync('..1', join(folder, '..data'));
    symlinkSync('..data/config.yml', file());
    watch.accept();
    symlinkSync('..2', join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    look();
    expect(changes).toBe(1);
  });

  it('waits for a file that is still being written', () => {
    writeFileSync(file(), 'half');
    vi.advanceTimersByTime(5_100);
    writeFileSync(file(), 'half and half');
    vi.advanceTimersByTime(300);
    expect(changes).toBe(0);
    look();
    expect(changes).toBe(1);
  });
});
