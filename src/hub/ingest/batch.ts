import { isUtf8 } from 'node:buffer';
import { constants, zstdCompressSync } from 'node:zlib';
import { BATCH_MAX_COUNT, HEARTBEAT_MAX_BYTES } from '../../protocol/wire.ts';
import { Refusal } from '../http/problems.ts';
import type { Incoming } from '../store/store.ts';
import { decode, type Encoding } from './body.ts';
import { explain, isHeartbeat } from './check.ts';
import { type Frame, framesOf } from './frames.ts';
import { isShallow } from './nesting.ts';

export type BodyType = 'ndjson' | 'json';

const NEWLINE = 10;
/** Twice a usual heartbeat. Shorter JSON is not looked through before it is parsed: it cannot cost much. */
const SHORT_BYTES = 16_384;

/** Heartbeats of a body, ready for the store: all of them, or a Refusal (400 with the index, 413) and none. */
export function batchOf(body: Buffer, encoding: Encoding, type: BodyType): Incoming[] {
  const frames = encoding === 'zstd' ? wholeFrames(body) : undefined;
  const text = decode(body, encoding);
  if (!isUtf8(text)) throw new Refusal('heartbeat_invalid', 'The body is not UTF-8.');
  const batch = type === 'ndjson' ? ofLines(text, body, frames) : ofDocument(text);
  if (batch.length === 0) throw new Refusal('heartbeat_invalid', 'The body holds no heartbeat.');
  return batch;
}

interface Line {
  start: number;
  /** After its newline. */
  end: number;
}

/** zstd passes over what stands after the last frame; here that may be a heartbeat which was cut. */
function wholeFrames(body: Buffer): Frame[] {
  const frames = framesOf(body);
  if (!frames) throw new Refusal('heartbeat_invalid', 'The body is not made of whole zstd frames.');
  return frames;
}

function ofLines(text: Buffer, packed: Buffer, frames: Frame[] | undefined): Incoming[] {
  const lines = linesOf(text);
  const kept = frames && onePerLine(frames, lines) ? frames.map(({ start, end }) => packed.subarray(start, end)) : undefined;
  return lines.map((line, index) => {
    const bytes = text.subarray(line.start, line.end);
    if (bytes.length > HEARTBEAT_MAX_BYTES) throw oneTooLarge(index);
    return incoming(parse(bytes, index), index, () => kept?.[index] ?? pack(bytes));
  });
}

function ofDocument(text: Buffer): Incoming[] {
  const value = parse(text, undefined);
  const values = Array.isArray(value) ? value : [value];
  if (values.length > BATCH_MAX_COUNT) throw tooMany();
  return values.map((one, index) =>
    incoming(one, index, () => {
      const bytes = Buffer.from(`${JSON.stringify(one)}\n`);
      if (bytes.length > HEARTBEAT_MAX_BYTES) throw oneTooLarge(index);
      return pack(bytes);
    }),
  );
}

/** Lines of the body; the last may lack its newline, and empty ones are passed over, if they are not millions. */
function linesOf(text: Buffer): Line[] {
  const lines: Line[] = [];
  let empty = 0;
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf(NEWLINE, start);
    const end = newline < 0 ? text.length : newline + 1;
    if (end - start > 1) lines.push({ start, end });
    else empty++;
    if (lines.length > BATCH_MAX_COUNT || empty > BATCH_MAX_COUNT) throw tooMany();
    start = end;
  }
  return lines;
}

/** Whether the batch is one whole frame a line: the sizes in their headers must fit to the byte. */
function onePerLine(frames: Frame[], lines: Line[]): boolean {
  return frames.length === lines.length && lines.every((line, index) => frames[index]?.contentSize === line.end - line.start);
}

function parse(bytes: Buffer, index: number | undefined): unknown {
  const more = index === undefined ? {} : { index };
  if (bytes.length > SHORT_BYTES && !isShallow(bytes)) throw new Refusal('heartbeat_invalid', 'This nests deeper than a heartbeat.', more);
  try {
    return JSON.parse(bytes.toString());
  } catch {
    // The parser's own words would quote the input.
    throw new Refusal('heartbeat_invalid', 'This is not JSON.', more);
  }
}

function incoming(value: unknown, index: number, frame: () => Buffer): Incoming {
  if (!isHeartbeat(value)) throw new Refusal('heartbeat_invalid', `Heartbeat ${index} of the batch: ${explain(value)}.`, { index });
  return {
    // One instance, in whichever case its id is written.
    instance: value.instance.toLowerCase(),
    sequence: value.sequence,
    time: value.time,
    interval: value.interval,
    frame: frame(),
    inventory: value.inventory ? JSON.stringify(value.inventory) : null,
    agentVersion: value.agent.version,
    hostName: value.host.name,
  };
}

/** Told the size, zstd takes tables that fit it. */
function pack(bytes: Buffer): Buffer {
  return zstdCompressSync(bytes, { pledgedSrcSize: bytes.length, params: { [constants.ZSTD_c_compressionLevel]: 1 } });
}

const tooMany = () => new Refusal('body_too_large', `At most ${BATCH_MAX_COUNT} heartbeats are taken in one request.`);
const oneTooLarge = (index: number) =>
  new Refusal('body_too_large', `A heartbeat may have ${HEARTBEAT_MAX_BYTES} bytes once decompressed.`, { index });
