import { createHmac } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { hostId, readHostId } from '../../src/support/machine-id.ts';
import { fixtureHost } from '../helpers/fixture-host.ts';

const root = mkdtempSync(join(os.tmpdir(), 'scout-hostid-'));
mkdirSync(join(root, 'etc'));
afterAll(() => rmSync(root, { recursive: true }));
const withId = (text: string) => {
  writeFileSync(join(root, 'etc/machine-id'), text);
  return readHostId(fixtureHost('rhel-8', { root }));
};
const some = '0123456789abcdef0123456789abcdef';

describe('the host id', () => {
  it('is a UUID of version 4 that tells nothing of the machine id', () => {
    const id = withId(`${some}\n`);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(id?.replaceAll('-', '')).not.toBe(some);
  });

  it('is the keyed hash of systemd, machine id as key, and never changes', () => {
    const application = Buffer.from('6b1f0c0e9c574d3d8f3a5f7a54c0b2d1', 'hex');
    const digest = createHmac('sha256', Buffer.from(some, 'hex')).update(application).digest('hex');
    expect(hostId(some).replaceAll('-', '').slice(0, 12)).toBe(digest.slice(0, 12));
  });

  it.each(['', 'uninitialized\n', '0'.repeat(32), 'host.example', some.slice(1)])('is none for a machine id of %j', (text) => {
    expect(withId(text)).toBeUndefined();
  });

  it('is none where there is no machine id', () => {
    expect(readHostId(fixtureHost('rhel-8', { root: '/nowhere' }))).toBeUndefined();
  });
});
