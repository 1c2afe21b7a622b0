import { existsSync, readFileSync } from 'node:fs';

/**
 * What starts and ends the agent where this process runs, and so what a remedy may name. `container`: one of the agent's
 * own, whose first process it is; a container that is used as a machine counts as one.
 */
export type Surroundings = 'systemd' | 'plain' | 'container' | 'windows';

/** Where this process runs. `root` is put before the paths that are looked at; tests only. */
export function surroundings(root = '', platform: NodeJS.Platform = process.platform): Surroundings {
  if (platform === 'win32') return 'windows';
  if (platform !== 'linux') return 'plain';
  if (existsSync(`${root}/run/systemd/system`)) return 'systemd';
  return /scout-agent/.test(firstProcess(root)) ? 'container' : 'plain';
}

/** Its command line, behind a tini or not; empty where it is hidden. */
function firstProcess(root: string): string {
  try {
    return readFileSync(`${root}/proc/1/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
