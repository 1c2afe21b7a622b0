/** A file of an archive; its name is plain ASCII of at most 100 characters. */
export interface Member {
  name: string;
  content: Buffer;
}

const BLOCK = 512;

/**
 * An archive in the ustar format (POSIX.1-1988), uncompressed: every tar reads it. `time` is ms since the epoch, and all
 * files have mode 0600 and no owner, so that nothing of this host gets in beside what the files say.
 */
export function tar(members: Member[], time: number): Buffer {
  const parts = members.flatMap(({ name, content }) => [
    header(name, content.length, time),
    content,
    Buffer.alloc(padding(content.length)),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function header(name: string, size: number, time: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  if (!/^[\x21-\x7e]{1,100}$/.test(name)) throw new RangeError(`no name for a file in an archive: ${name}`);
  block.write(name, 0, 'latin1');
  octal(block, 0o600, 100, 8);
  octal(block, 0, 108, 8);
  octal(block, 0, 116, 8);
  octal(block, size, 124, 12);
  octal(block, Math.floor(time / 1_000), 136, 12);
  block.write('0', 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  // The sum is taken with spaces in its own place.
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function octal(block: Buffer, value: number, at: number, width: number): void {
  block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
}

const padding = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;
