import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A host key for the time of the tests: who runs them as root must not find a new one in /etc afterwards. */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'scout-host-'));
  process.env.SCOUT_HOST_KEY_FILE = join(folder, 'host.key');
  return () => rmSync(folder, { recursive: true, force: true });
}
