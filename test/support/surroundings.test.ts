import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { surroundings } from '../../src/support/surroundings.ts';

describe('where the agent runs', () => {
  const machine = (first: string | undefined, systemd = false): string => {
    const root = mkdtempSync(join(os.tmpdir(), 'scout-around-'));
    onTestFinished(() => rmSync(root, { recursive: true }));
    mkdirSync(join(root, 'proc/1'), { recursive: true });
    if (first !== undefined) writeFileSync(join(root, 'proc/1/cmdline'), first.replaceAll(' ', '\0'));
    if (systemd) mkdirSync(join(root, 'run/systemd/system'), { recursive: true });
    return root;
  };

  it.each([
    ['a machine with systemd', '/sbin/init', true, 'systemd'],
    ['a machine with another init', '/sbin/init', false, 'plain'],
    ['one whose first process is hidden', undefined, false, 'plain'],
    ['the image', '/usr/bin/tini -- /usr/bin/scout-agent run', false, 'container'],
    ['the image without its init', '/usr/lib/scout-agent/node --jitless /usr/lib/scout-agent/dist/agent/daemon.cjs', false, 'container'],
    ['a container that is used as a machine', 'sleep infinity', false, 'plain'],
  ] as const)('%s', (_, first, systemd, found) => expect(surroundings(machine(first, systemd), 'linux')).toBe(found));

  it('Windows, and other systems', () => {
    expect(surroundings(machine('x', true), 'win32')).toBe('windows');
    expect(surroundings(machine('scout-agent'), 'darwin')).toBe('plain');
  });
});
