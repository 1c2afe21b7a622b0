import { statSync } from 'node:fs';
import path from 'node:path';
import { type Problem, problem } from '../support/errors.ts';

/** Where a configuration is looked for, in order; the first that exists is the one. */
export const PLACES = [
  '/etc/scout-agent/config.toml',
  '/etc/scout-agent/config.yml',
  '/etc/scout-agent/config.yaml',
  '/etc/scout-agent/agent.env',
  '/opt/scout-agent/agent.env',
  '/opt/scout-agent/agent.env.yml',
  '/opt/serverscout/config.yml',
  '/etc/observer-agent.env',
];

/**
 * The configuration file: the one named (`--config`, then $SCOUT_CONFIG), else the first of PLACES that exists under
 * `root`; null when there is none. A named file that does not exist is a fault.
 */
export function discover(named: string | undefined, env: NodeJS.ProcessEnv, root = ''): { file: string | null; problem?: Problem } {
  const [wanted, origin] = named !== undefined ? [named, '--config'] : [env.SCOUT_CONFIG, 'SCOUT_CONFIG'];
  if (wanted) {
    const file = path.resolve(wanted);
    if (exists(file)) return { file };
    return { file, problem: problem('CONFIG_MISSING_FILE', { path: file, origin }) };
  }
  return { file: PLACES.map((place) => root + place).find((place) => exists(place)) ?? null };
}

/** Also true of what this user may not look at: that is said when it is read, and better than that nothing is there. */
function exists(file: string): boolean {
  try {
    return statSync(file).isFile();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES';
  }
}
