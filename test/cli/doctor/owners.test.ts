import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closedTo, groupOf, userOf } from '../../../src/cli/doctor/owners.ts';

describe('owners', () => {
  it('are named as this host names them, and by number where it does not', () => {
    expect([userOf(0), groupOf(0)]).toEqual(['root', 'root']);
    expect([userOf(54_321), groupOf(54_321)]).toEqual(['54321', '54321']);
  });
});

/** Debian's `nobody` and `nogroup`; --init-groups wants a user that passwd(5) knows. */
const NOBODY = 65_534;

describe.skipIf(process.platform !== 'linux' || process.getuid?.() !== 0)('files of the agent, as root sees them', () => {
  let folder: string;
  const at = (name: string): string => path.join(folder, name);
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'scout-owners-'));
    chmodSync(folder, 0o755);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('are open to its user by owner, group or all; what is not is named', () => {
    for (const [name, mode, group] of [
      ['all', 0o644, 0],
      ['group', 0o640, NOBODY],
      ['root', 0o640, 0],
    ] as const) {
      writeFileSync(at(name), '');
      chmodSync(at(name), mode);
      chownSync(at(name), 0, group);
    }
    const files = [at('all'), at('group'), at('root'), at('absent')];
    expect(closedTo(NOBODY, NOBODY, files)).toEqual([{ file: at('root'), at: at('root'), folder: false }]);
    expect(closedTo(0, 0, files)).toEqual([]);
  });

  it('in a folder that its user may not enter: the folder is named', () => {
    mkdirSync(at('closed'), { mode: 0o700 });
    writeFileSync(at('closed/file'), '');
    expect(closedTo(NOBODY, NOBODY, [at('closed/file')])).toEqual([{ file: at('closed/file'), at: at('closed/'), folder: true }]);
  });

  it('of a user without a name: nothing is claimed', () => {
    writeFileSync(at('root'), '', { mode: 0o600 });
    expect(closedTo(54_321, 54_321, [at('root')])).toEqual([]);
  });
});
