import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BODY_MAX_BYTES } from '../../src/protocol/wire.ts';
import { Bench } from '../helpers/programs.ts';
import { heartbeat, lineOf } from '../hub/helpers.ts';
import { Fleet } from './fleet.ts';

/* Bodies that are large, or become so, sent all at once by somebody who has a key. */

const CLIENTS = 4;
const MB = 1_000_000;
/** What the hub may take beside its 256 MiB for bodies: itself, copies of the one body in hand, and what waits for the collector. */
const BESIDE_MB = 400;

let bench: Bench;
let fleet: Fleet;
let key: string;
beforeAll(async () => {
  bench = new Bench();
  await bench.startHub();
  fleet = await Fleet.on(bench, CLIENTS);
  key = fleet.clients[0]?.key as string;
  fleet.start(20);
});
afterAll(async () => {
  await fleet.stop();
  await bench.close();
});

const peakMb = () => Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${bench.hub?.child.pid}/status`, 'latin1'))?.[1]) / 1_000;

/** Sends the same many times at once, over a connection each; how often each status came. */
async function flood(count: number, body: Uint8Array, headers: Record<string, string>): Promise<Record<string, number>> {
  const statuses = await Promise.all(Array.from({ length: count }, () => fleet.send(key, body, headers)));
  return Object.fromEntries(
    Map.groupBy(statuses, String)
      .entries()
      .map(([status, all]) => [status, all.length]),
  );
}

describe('a fleet is served on', () => {
  it('while bodies of 10 MB come in by dozens: those there is no room for wait with their senders', async () => {
    const statuses = await flood(60, Buffer.alloc(10 * MB, ' '), { 'content-encoding': 'identity' });
    const { 413: refused = 0, 503: busy = 0, ...others } = statuses;
    expect({ others, all: refused + busy }).toEqual({ others: {}, all: 60 });
    expect(refused).toBeGreaterThan(0);
    for (const { code, retryAfter } of fleet.problems.filter(({ status }) => status === 503))
      expect([code, retryAfter]).toEqual(['busy', '5']);
    expect(peakMb()).toBeLessThan(268 + BESIDE_MB);
    await fleet.more(CLIENTS);
  });

  const big = Buffer.alloc(BODY_MAX_BYTES + 1, ' ');
  const zstd = (data: Buffer, params = {}) => zstdCompressSync(data, { params });
  const beat = lineOf(heartbeat({ instance: randomUUID() }));
  it.each<[string, number, () => Uint8Array, Record<string, string>]>([
    ['zstd that becomes too much', 413, () => zstd(big), {}],
    ['gzip that becomes too much', 413, () => gzipSync(big), { 'content-encoding': 'gzip' }],
    ['a thousand frames of a megabyte each', 413, () => Buffer.concat(Array(1_000).fill(zstd(big.subarray(0, MB)))), {}],
    [
      'a thousand members of a megabyte each',
      413,
      () => Buffer.concat(Array(1_000).fill(gzipSync(big.subarray(0, MB)))),
      { 'content-encoding': 'gzip' },
    ],
    ['zstd in zstd', 400, () => zstd(zstd(big)), {}],
    ['gzip in zstd', 400, () => zstd(gzipSync(big)), {}],
    ['a window of 128 MiB', 413, () => zstd(big, { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_contentSizeFlag]: 0 }), {}],
    // Single segment, a content size of eight bytes: 2^60; then one empty last block (RFC 8878, 3.1.1).
    ['a header that claims an exabyte', 413, () => Buffer.from('28b52ffde00000000000000010010000', 'hex'), {}],
    ['brackets without end', 400, () => zstd(Buffer.from(`${'['.repeat(900_000)}\n`)), {}],
    ['a heartbeat too many lines down', 413, () => zstd(Buffer.concat([Buffer.alloc(100_000, '\n'), beat])), {}],
  ])('while %s comes, fifty at once', { timeout: 60_000 }, async (_, status, make, headers) => {
    expect(await flood(50, make(), headers)).toEqual({ [status]: 50 });
    expect(peakMb()).toBeLessThan(268 + BESIDE_MB);
    await fleet.more(CLIENTS);
  });
});
