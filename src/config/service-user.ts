import { readFileSync } from 'node:fs';

const NAME = 'scout-agent';

/** The user that the packaged agent runs as; undefined where there is none. `root` is put before /etc; tests only. */
export function serviceUser(root = ''): { uid: number; gid: number } | undefined {
  try {
    const line = readFileSync(`${root}/etc/passwd`, 'utf8')
      .split('\n')
      .find((one) => one.startsWith(`${NAME}:`));
    const [, , uid, gid] = (line ?? '').split(':');
    return /^\d+$/.test(uid ?? '') && /^\d+$/.test(gid ?? '') ? { uid: Number(uid), gid: Number(gid) } : undefined;
  } catch {
    return undefined;
  }
}
