import { toOtlp } from '../../exporters/otlp.ts';
import { encodeOtlp } from '../../exporters/otlp-protobuf.ts';
import { unpack } from '../../protocol/frame.ts';
import type { Heartbeat, Inventory } from '../../protocol/heartbeat.ts';
import { HEARTBEAT_MAX_BYTES } from '../../protocol/wire.ts';
import type { Placed } from '../store/stream.ts';

/** JSON that becomes one request, in bytes; protobuf is about four times as large before it is compressed. */
const REQUEST_MAX_BYTES = 1_048_576;

/** What stands in the resource of a server's heartbeats besides what they say themselves. */
export interface Origin {
  organisation: string;
  /** host.id, os.type: an agent tells them in some heartbeats only, and series must not come and go with them. */
  facts: Inventory;
}

export interface Converted {
  /** An ExportMetricsServiceRequest in protobuf. */
  body: Buffer;
  /** How many of the rows it is made of, from the first on. */
  rows: number;
  /** Places of those among them that cannot be read, and are in no request. */
  unreadable: number[];
}

/** Makes one request of as many rows as fit, one at least. */
export function convert(rows: Placed[], originOf: (row: Placed) => Origin): Converted {
  const origins = new Map<Heartbeat, Placed>();
  const unreadable: number[] = [];
  let [bytes, taken] = [0, 0];
  for (const row of rows) {
    const text = readable(row.frame);
    if (taken > 0 && bytes + (text?.length ?? 0) > REQUEST_MAX_BYTES) break;
    taken++;
    bytes += text?.length ?? 0;
    const heartbeat = text && parse(text);
    if (heartbeat) origins.set(heartbeat, row);
    else unreadable.push(row.place);
  }
  const groups = Map.groupBy(origins, ([, row]) => row.server.id);
  const resources = [...groups.values()].flatMap((group) => {
    const row = group[0]![1];
    const { organisation, facts } = originOf(row);
    const more: [string, string][] = [
      ['scout.server.name', row.server.name],
      ['scout.organisation.name', organisation],
    ];
    return toOtlp(
      group.map(([heartbeat]) => heartbeat),
      () => facts,
      () => more,
    );
  });
  return { body: encodeOtlp(resources), rows: taken, unreadable };
}

function readable(frame: Uint8Array): Buffer | undefined {
  try {
    return unpack(frame, HEARTBEAT_MAX_BYTES + 1);
  } catch {
    return undefined;
  }
}

function parse(text: Buffer): Heartbeat | undefined {
  try {
    return JSON.parse(text.toString()) as Heartbeat;
  } catch {
    return undefined;
  }
}
