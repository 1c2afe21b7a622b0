import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { realHost } from '../../src/support/host.ts';

describe('the name of the host', () => {
  const root = mkdtempSync(join(os.tmpdir(), 'scout-host-'));
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('is that of the root file system that is mounted, and else that of this system', () => {
    expect(realHost().hostname()).toBe(os.hostname());
    expect(realHost({ root: '/' }).hostname()).toBe(os.hostname());
    expect(realHost({ root }).hostname()).toBe(os.hostname());
    mkdirSync(join(root, 'etc'));
    writeFileSync(join(root, 'etc/hostname'), '# the machine\n\nnode-7.example.com\n');
    expect(realHost({ root }).hostname()).toBe('node-7.example.com');
  });
});
