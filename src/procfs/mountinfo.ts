import { eachLine, utf8, words } from './scan.ts';

/** One mount of proc_pid_mountinfo(5). */
export interface Mount {
  /** `major:minor` of the file system; the same for each bind mount of it. */
  device: string;
  /** What of the file system is mounted here: `/` unless it is a bind mount or a subvolume. */
  root: string;
  mountPoint: string;
  type: string;
  /** `/dev/sda1`, `server:/export`, `tmpfs`. */
  source: string;
  /** The file system itself is read-only, as after an error; not merely this view of it, as in a sandbox (ProtectSystem=). */
  readOnly: boolean;
}

/** /proc/PID/mountinfo; lines that are cut or garbled are left out. */
export function parseMountinfo(text: string): Mount[] {
  const mounts: Mount[] = [];
  eachLine(text, (from, to) => {
    const dash = text.indexOf(' - ', from);
    if (dash < 0 || dash > to) return;
    const [, , device, root, mountPoint, options] = words(text, from, dash);
    const [type, source, superOptions] = words(text, dash + 3, to);
    if (!device || !root || !mountPoint || !options || !type || source === undefined) return;
    mounts.push({
      device,
      root: unescaped(root),
      mountPoint: unescaped(mountPoint),
      type,
      source: unescaped(source),
      readOnly: isReadOnly(superOptions || options),
    });
  });
  return mounts;
}

const isReadOnly = (options: string): boolean => options === 'ro' || options.startsWith('ro,');

/** The kernel writes blank, tab, newline, backslash and `#` as octal. */
function unescaped(text: string): string {
  const plain = text.includes('\\')
    ? text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8) & 255))
    : text;
  return utf8(plain);
}
