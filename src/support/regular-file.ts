import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

/** More than any key or configuration has. */
const MOST_BYTES = 1_048_576;

/**
 * Reads a file that a user named. It must be a regular one of at most `most` bytes: a pipe that nobody writes to would be
 * waited for without end, and a device has no end. Throws an Error whose message says what is wrong, in words.
 */
export function readRegular(file: string, most = MOST_BYTES): Buffer {
  let fd: number;
  try {
    // Not to wait for who writes to a pipe; of no effect on regular files.
    fd = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw inWords(error as NodeJS.ErrnoException);
  }
  try {
    const stat = fstatSync(fd);
    if (stat.isDirectory()) throw new Error('it is a folder');
    if (!stat.isFile()) throw new Error('it is not a regular file');
    if (stat.size > most) throw new Error(`it has ${stat.size} bytes, far more than is to be expected`);
    return readFileSync(fd);
  } catch (error) {
    throw inWords(error as NodeJS.ErrnoException);
  } finally {
    closeSync(fd);
  }
}

const WORDS: Record<string, string> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'what stands before its last / is not a folder',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  ELOOP: 'it is a link that leads back to itself',
  ENXIO: 'it is not a regular file',
};

function inWords(error: NodeJS.ErrnoException): Error {
  const { code } = error;
  return code === undefined ? error : new Error(WORDS[code] ? `${WORDS[code]} (${code})` : code, { cause: error });
}
