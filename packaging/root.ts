import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The project's folder, with a slash at its end. */
export const root: string = fileURLToPath(new URL('..', import.meta.url));

/**
 * The time that everything in a package bears, in seconds since 1970: SOURCE_DATE_EPOCH, or else that of the last commit,
 * so that a commit gives the same bytes whenever it is built. Throws where neither is known.
 */
export function sourceDate(env: NodeJS.ProcessEnv = process.env): number {
  const given = env.SOURCE_DATE_EPOCH;
  const text = given ?? execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' });
  const seconds = Number(text.trim());
  if (!Number.isSafeInteger(seconds) || seconds <= 0) throw new Error(`SOURCE_DATE_EPOCH ${given} is no number of seconds`);
  return seconds;
}
