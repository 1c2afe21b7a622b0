import { statSync } from 'node:fs';

/** Whose a file in this folder must be, when root writes it; undefined when it is the writer's own in any case. */
export function ownerOf(folder: string): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const { uid, gid } = statSync(folder);
  return uid === 0 ? undefined : { uid, gid };
}

/**
 * Does something in a folder with the rights of its owner, when root does it: a link that was laid there then leads
 * no further than the owner's own hands. `work` must not wait for anything, for the rights are the whole process's.
 * Throws what the kernel says where root may not do so.
 */
export function asOwner<T>(folder: string, work: () => T): T {
  const owner = ownerOf(folder);
  const { getgroups, setgroups, setegid, seteuid } = process;
  if (!owner || !getgroups || !setgroups || !setegid || !seteuid) return work();
  const groups = getgroups();
  try {
    setgroups([owner.gid]);
    setegid(owner.gid);
    seteuid(owner.uid);
    return work();
  } finally {
    seteuid(0);
    setegid(0);
    setgroups(groups);
  }
}
