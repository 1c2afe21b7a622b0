import os from 'node:os';

/**
 * A user's home folder. `/` where nothing tells one, as of a number that no passwd file knows (containers): what is to be
 * written there is refused by name, and all that was named by other settings works.
 */
export function homeOf(env: NodeJS.ProcessEnv): string {
  if (env.HOME) return env.HOME;
  try {
    return os.homedir();
  } catch {
    return '/';
  }
}

/** Name of the user who runs this; `uid 1234` where no passwd file knows the number. */
export function userName(): string {
  try {
    return os.userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
