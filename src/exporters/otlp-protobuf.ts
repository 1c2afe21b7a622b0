import { CUMULATIVE, isInteger, type OtlpMetric, type OtlpReadings, type OtlpResource, rowValue, SCOPE } from './otlp.ts';
import { ProtobufWriter } from './protobuf.ts';

/*
 * ExportMetricsServiceRequest in protobuf. Field numbers are those of opentelemetry-proto 1.x:
 * collector/metrics/v1/metrics_service.proto, metrics/v1/metrics.proto, resource/v1, common/v1. The writer runs from
 * the end to the start, hence every list and every message here is walked backwards.
 */

/** Encodes an ExportMetricsServiceRequest. The bytes are the caller's. */
export function encodeOtlp(resources: OtlpResource[]): Buffer {
  const writer = new ProtobufWriter(32_768);
  for (const resource of resources.toReversed()) {
    const resourceMetrics = writer.open();
    const scopeMetrics = writer.open();
    for (const metric of resource.metrics.toReversed()) writeMetric(writer, metric);
    const scope = writer.open();
    writer.string(2, resource.version);
    writer.string(1, SCOPE);
    writer.close(1, scope);
    writer.close(2, scopeMetrics);
    const inner = writer.open();
    for (const [name, value] of resource.attributes.toReversed()) writeAttribute(writer, 1, name, value);
    writer.close(1, inner);
    writer.close(1, resourceMetrics);
  }
  return writer.finish();
}

function writeMetric(writer: ProtobufWriter, metric: OtlpMetric): void {
  const whole = writer.open();
  const data = writer.open();
  if (metric.type !== 'gauge') {
    if (metric.type === 'counter') writer.int(3, 1);
    writer.int(2, CUMULATIVE);
  }
  for (const readings of metric.readings.toReversed()) writePoints(writer, metric, readings);
  writer.close(metric.type === 'gauge' ? 5 : 7, data);
  writer.string(3, metric.unit);
  writer.string(1, metric.name);
  writer.close(2, whole);
}

function writePoints(writer: ProtobufWriter, metric: OtlpMetric, { attributes, rows, time, start }: OtlpReadings): void {
  for (let index = rows.length - 1; index >= 0; index -= 1) {
    const row = rows[index]!;
    const value = rowValue(row, attributes);
    if (value === undefined) continue;
    const point = writer.open();
    for (let at = attributes.length - 1; at >= 0; at -= 1) writeAttribute(writer, 7, attributes[at]!, row[at]!);
    if (isInteger(metric, value)) writer.sfixed64(6, value);
    else writer.double(4, value);
    writer.fixed64(3, time);
    if (start !== 0n) writer.fixed64(2, start);
    writer.close(1, point);
  }
}

/** A KeyValue with its AnyValue. */
function writeAttribute(writer: ProtobufWriter, field: number, name: string, value: string | number): void {
  const pair = writer.open();
  const inner = writer.open();
  if (typeof value === 'string') writer.string(1, value);
  else if (Number.isSafeInteger(value)) writer.int(3, value);
  else writer.double(4, value);
  writer.close(2, inner);
  writer.string(1, name);
  writer.close(field, pair);
}
