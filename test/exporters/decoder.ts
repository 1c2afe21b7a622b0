/*
 * A second reading of OTLP's protobuf, for tests only and sharing nothing with the writer: the messages of
 * opentelemetry-proto as tables of field numbers, types and the names that protobuf's JSON mapping gives them. It
 * refuses what it does not know, wrong wire types, and lengths that do not come out even.
 */

type Kind = 'string' | 'bool' | 'int64' | 'enum' | 'double' | 'fixed64' | 'sfixed64' | Message;
type Row = [field: number, name: string, kind: Kind, repeated?: 'repeated'];
interface Message {
  message: string;
  rows: Row[];
}

const message = (name: string, ...rows: Row[]): Message => ({ message: name, rows });

const anyValue = message(
  'AnyValue',
  [1, 'stringValue', 'string'],
  [2, 'boolValue', 'bool'],
  [3, 'intValue', 'int64'],
  [4, 'doubleValue', 'double'],
);
const keyValue = message('KeyValue', [1, 'key', 'string'], [2, 'value', anyValue]);
const resource = message('Resource', [1, 'attributes', keyValue, 'repeated']);
const scope = message('InstrumentationScope', [1, 'name', 'string'], [2, 'version', 'string']);
const point = message(
  'NumberDataPoint',
  [7, 'attributes', keyValue, 'repeated'],
  [2, 'startTimeUnixNano', 'fixed64'],
  [3, 'timeUnixNano', 'fixed64'],
  [4, 'asDouble', 'double'],
  [6, 'asInt', 'sfixed64'],
);
const gauge = message('Gauge', [1, 'dataPoints', point, 'repeated']);
const sum = message('Sum', [1, 'dataPoints', point, 'repeated'], [2, 'aggregationTemporality', 'enum'], [3, 'isMonotonic', 'bool']);
const metric = message(
  'Metric',
  [1, 'name', 'string'],
  [2, 'description', 'string'],
  [3, 'unit', 'string'],
  [5, 'gauge', gauge],
  [7, 'sum', sum],
);
const scopeMetrics = message('ScopeMetrics', [1, 'scope', scope], [2, 'metrics', metric, 'repeated'], [3, 'schemaUrl', 'string']);
const resourceMetrics = message(
  'ResourceMetrics',
  [1, 'resource', resource],
  [2, 'scopeMetrics', scopeMetrics, 'repeated'],
  [3, 'schemaUrl', 'string'],
);
const request = message('ExportMetricsServiceRequest', [1, 'resourceMetrics', resourceMetrics, 'repeated']);

/** An ExportMetricsServiceRequest in the shape of protobuf's JSON mapping; 64-bit integers are texts. */
export function decodeRequest(bytes: Uint8Array): Record<string, unknown> {
  return decode(request, Buffer.from(bytes));
}

const WIRE: Record<string, number> = { bool: 0, int64: 0, enum: 0, double: 1, fixed64: 1, sfixed64: 1, string: 2 };

function decode({ message: title, rows }: Message, bytes: Buffer): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 63n) throw new Error(`${title}: broken varint`);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const row = rows.find(([field]) => field === tag >> 3);
    if (!row) throw new Error(`${title}: no field ${tag >> 3}`);
    const [, name, kind, repeated] = row;
    const wire = typeof kind === 'string' ? WIRE[kind] : 2;
    if (wire !== (tag & 7)) throw new Error(`${title}.${name}: wire type ${tag & 7}`);
    let value: unknown;
    if (wire === 0) {
      const number = varint();
      value = kind === 'bool' ? number === 1n : kind === 'enum' ? Number(number) : String(BigInt.asIntN(64, number));
    } else {
      const size = wire === 1 ? 8 : Number(varint());
      if (at + size > bytes.length) throw new Error(`${title}.${name}: cut off`);
      const part = bytes.subarray(at, at + size);
      at += size;
      if (kind === 'double') value = part.readDoubleLE();
      else if (kind === 'fixed64') value = String(part.readBigUInt64LE());
      else if (kind === 'sfixed64') value = String(part.readBigInt64LE());
      else if (kind === 'string') value = new TextDecoder('utf-8', { fatal: true }).decode(part);
      else value = decode(kind as Message, part);
    }
    if (repeated) {
      found[name] ??= [];
      (found[name] as unknown[]).push(value);
    } else if (name in found) throw new Error(`${title}.${name}: twice`);
    else found[name] = value;
  }
  return found;
}
