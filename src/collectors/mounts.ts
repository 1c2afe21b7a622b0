import type { Mount } from '../procfs/mountinfo.ts';
import type { Host } from '../support/host.ts';
import { matcher } from './files.ts';

/** File systems without space of their own, or always full (images). */
const PSEUDO = new Set([
  'autofs',
  'binder',
  'binfmt_misc',
  'bpf',
  'cgroup',
  'cgroup2',
  'configfs',
  'cramfs',
  'debugfs',
  'devpts',
  'devtmpfs',
  'ecryptfs',
  'efivarfs',
  'erofs',
  'fuse.gvfsd-fuse',
  'fuse.lxcfs',
  'fuse.portal',
  'fuse.snapfuse',
  'fusectl',
  'hugetlbfs',
  'iso9660',
  'mqueue',
  'nsfs',
  'nullfs',
  'pipefs',
  'proc',
  'pstore',
  'ramfs',
  'resctrl',
  'romfs',
  'rootfs',
  'rpc_pipefs',
  'securityfs',
  'selinuxfs',
  'smackfs',
  'sockfs',
  'squashfs',
  'sysfs',
  'tracefs',
  'usbfs',
  'nfsd',
]);
/** Places where the system and container engines mount for themselves. */
const INTERNAL =
  /^\/(?:dev|proc|sys|run\/credentials|run\/user|run\/netns|run\/docker|var\/lib\/docker|var\/lib\/containers\/storage)(?:\/|$)/;
/** What answers from another process or another machine, and may not answer at all. */
const REMOTE = /^(?:fuse.*|nfs\d?|cifs|smb\w*|9p|ceph|afs|gfs2|glusterfs|lustre|beegfs|pvfs2|ocfs2|coda|ncpfs|virtiofs|davfs|sshfs)$/;

/** One file system to ask, at the mount point by which it is best known. */
export interface Place extends Mount {
  remote: boolean;
  /** Its mount point as seen from here. */
  path: string;
}

/**
 * The file systems of a mount table that have space worth reporting: each once, however often it is bind-mounted, by
 * its own mount point or else the shortest; of several mounts on one point, the last, which hides the others.
 */
export function places(mounts: Mount[], host: Host, exclude: { types: string[]; mounts: string[] }): Place[] {
  const typeExcluded = matcher(exclude.types);
  const mountExcluded = matcher(exclude.mounts);
  const visible = new Map<string, Mount>();
  for (const mount of mounts) {
    visible.delete(mount.mountPoint);
    visible.set(mount.mountPoint, mount);
  }
  const byDevice = new Map<string, Mount>();
  for (const mount of visible.values()) {
    const { type, mountPoint } = mount;
    if (PSEUDO.has(type) || INTERNAL.test(mountPoint)) continue;
    // The root of a container is worth a line; the layers of the containers on this host are its disk once more.
    if (type === 'overlay' && mountPoint !== '/') continue;
    if (typeExcluded(type) || mountExcluded(mountPoint)) continue;
    const other = byDevice.get(mount.device);
    if (!other || isBetter(mount, other)) byDevice.set(mount.device, mount);
  }
  const root = host.root.replace(/\/$/, '');
  return [...byDevice.values()].map((mount) => ({ ...mount, remote: REMOTE.test(mount.type), path: root + mount.mountPoint || '/' }));
}

/** A mount of the whole goes before one of a folder in it, then a shorter mount point before a longer. */
function isBetter(mount: Mount, other: Mount): boolean {
  const whole = Number(mount.root === '/') - Number(other.root === '/');
  return whole !== 0 ? whole > 0 : mount.mountPoint.length < other.mountPoint.length;
}
