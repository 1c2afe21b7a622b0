import type { IncomingMessage } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { unpack } from '../../protocol/frame.ts';
import { BATCH_MAX_BYTES, BODY_MAX_BYTES } from '../../protocol/wire.ts';
import { Refusal } from '../http/problems.ts';

export type Encoding = 'zstd' | 'gzip' | 'identity';

/** The coding of a request's body. Throws a Refusal (415) for one that is not taken. */
export function encodingOf(request: IncomingMessage): Encoding {
  const named = request.headers['content-encoding']?.trim().toLowerCase() || 'identity';
  if (named === 'zstd' || named === 'gzip' || named === 'identity') return named;
  throw new Refusal('unsupported_encoding', 'Content-Encoding may be zstd or gzip, or be left out.', {
    headers: { 'accept-encoding': 'zstd, gzip' },
  });
}

const tooLarge = (limit: number, what: string) =>
  new Refusal('body_too_large', `At most ${limit} bytes are taken in one request, ${what}.`);

const limitOf = (encoding: Encoding): number => (encoding === 'identity' ? BODY_MAX_BYTES : BATCH_MAX_BYTES);

/** Bytes that a body will take at most while it is read; too many of them are refused with its first. */
export function roomFor(request: IncomingMessage, encoding: Encoding): number {
  const limit = limitOf(encoding);
  return Math.min(Number(request.headers['content-length'] ?? limit), limit);
}

/** Reads a body up to its limit. Throws a Refusal (413) for more; resolves to undefined when the client went away. */
export function readBody(request: IncomingMessage, encoding: Encoding): Promise<Buffer | undefined> {
  const limit = limitOf(encoding);
  const refusal = () => tooLarge(limit, encoding === 'identity' ? 'uncompressed' : 'compressed');
  if (Number(request.headers['content-length'] ?? 0) > limit) return Promise.reject(refusal());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      if (length <= limit) return void chunks.push(chunk);
      request.off('data', onData);
      reject(refusal());
    };
    request.on('data', onData);
    request.once('end', () => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, length)));
    request.once('error', () => resolve(undefined));
    request.once('close', () => resolve(undefined));
  });
}

/**
 * Decompresses a body, joined frames and members included. Throws a Refusal: 413 for a bomb, 400 for what is damaged,
 * 415 for frames with a dictionary that is not known.
 */
export function decode(body: Buffer, encoding: Encoding): Buffer {
  if (encoding === 'identity') return body;
  try {
    return encoding === 'gzip' ? gunzipSync(body, { maxOutputLength: BODY_MAX_BYTES }) : unpack(body, BODY_MAX_BYTES);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'ERR_BUFFER_TOO_LARGE' || code.includes('windowTooLarge')) throw tooLarge(BODY_MAX_BYTES, 'once decompressed');
    if (code.includes('dictionary'))
      throw new Refusal('unsupported_encoding', 'The frames name a dictionary that this hub does not have: it is older than the agent.');
    throw new Refusal('heartbeat_invalid', `The body cannot be decompressed as ${encoding}.`);
  }
}
