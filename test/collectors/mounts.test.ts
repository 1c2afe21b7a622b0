import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { places } from '../../src/collectors/mounts.ts';
import { type Mount, parseMountinfo } from '../../src/procfs/mountinfo.ts';
import { fixture, fixtureHost } from '../helpers/fixture-host.ts';

const host = fixtureHost('rhel-8', { root: '/' });
const none: { types: string[]; mounts: string[] } = { types: [], mounts: [] };
const of = (name: string) => parseMountinfo(readFileSync(fixture(name, 'proc/1/mountinfo'), 'latin1'));
const points = (mounts: Mount[], exclude = none) => places(mounts, host, exclude).map(({ mountPoint }) => mountPoint);
const mount = (mountPoint: string, type: string, device: string, root = '/'): Mount => ({
  device,
  root,
  mountPoint,
  type,
  source: type,
  readOnly: false,
});

describe('places', () => {
  it('keeps what has space, once, by the mount of the whole', () => {
    expect(points(of('rhel-8'))).toEqual(['/run', '/', '/boot', '/srv/data store', '/mnt/nfs']);
    expect(points(of('debian-12'))).toEqual(['/']);
  });

  it('knows what may hang', () => {
    const remote = places([...of('rhel-8'), ...of('ubuntu-22.04-arm64')], host, none).filter((place) => place.remote);
    expect(remote.map(({ type }) => type)).toEqual(['nfs4', 'fuse.sshfs']);
  });

  it('takes an overlay for the root only', () => {
    expect(points([mount('/', 'overlay', '0:30'), mount('/var/lib/x/merged', 'overlay', '0:31')])).toEqual(['/']);
  });

  it('lets the last mount on a point hide the others', () => {
    expect(places([mount('/a', 'ext4', '8:1'), mount('/a', 'xfs', '8:2')], host, none).map(({ type }) => type)).toEqual(['xfs']);
  });

  it('takes the shortest of subvolumes', () => {
    expect(points([mount('/home', 'btrfs', '0:40', '/@home'), mount('/', 'btrfs', '0:40', '/@')])).toEqual(['/']);
  });

  it('leaves out what the settings exclude', () => {
    expect(points(of('rhel-8'), { types: ['nfs*'], mounts: ['/srv/*'] })).toEqual(['/run', '/', '/boot', '/var/www']);
  });

  it('looks beneath the root given', () => {
    const inside = { ...host, root: '/host' };
    expect(places([mount('/', 'ext4', '8:1'), mount('/a', 'ext4', '8:2')], inside, none).map(({ path }) => path)).toEqual([
      '/host/',
      '/host/a',
    ]);
  });
});
