import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { toOtlp } from '../src/exporters/otlp.ts';
import { encodeOtlp } from '../src/exporters/otlp-protobuf.ts';
import { pack } from '../src/protocol/frame.ts';
import type { Heartbeat } from '../src/protocol/heartbeat.ts';
import { variations } from './lib.ts';

/** Heartbeats of one agent, ten seconds apart, with the points that this host has. */
export interface Made {
  json: string[];
  /** As the agent stores and sends them. */
  frames: Buffer[];
  points: number;
}

/** Makes `count` heartbeats that end now. */
export function makeHeartbeats(count: number): Made {
  const [make, instance, start] = [variations(), randomUUID(), Date.now() - count * 10_000];
  const json = Array.from({ length: count }, (_, index) => make(instance, index + 1, start + index * 10_000));
  const points = (JSON.parse(json[0] as string) as Heartbeat).metrics.reduce((sum, { points }) => sum + points.length, 0);
  return { json, frames: json.map((one) => Buffer.from(pack(one))), points };
}

/** Frames end to end, `size` a request. */
export function batches(frames: Buffer[], size: number): Buffer[] {
  return Array.from({ length: Math.floor(frames.length / size) }, (_, index) =>
    Buffer.concat(frames.slice(index * size, (index + 1) * size)),
  );
}

/** The same heartbeats as the agent sends them to an OTLP receiver, under another host's name: protobuf, gzip, `size` a request. */
export function otlpBatches(json: string[], host: string, size: number): Buffer[] {
  const beats = json.map((text): Heartbeat => ({ ...JSON.parse(text), host: { name: host }, instance: host }));
  return Array.from({ length: Math.floor(beats.length / size) }, (_, index) =>
    gzipSync(encodeOtlp(toOtlp(beats.slice(index * size, (index + 1) * size))), { level: 1 }),
  );
}
