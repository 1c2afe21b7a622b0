import { CUMULATIVE, isInteger, type OtlpMetric, type OtlpReadings, type OtlpResource, rowValue, SCOPE } from './otlp.ts';

/*
 * ExportMetricsServiceRequest in JSON, by protobuf's JSON mapping with OTLP's changes
 * (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"): 64-bit integers are texts, enums are numbers.
 */

/** Encodes an ExportMetricsServiceRequest as JSON. */
export function encodeOtlpJson(resources: OtlpResource[]): string {
  return JSON.stringify({
    resourceMetrics: resources.map(({ attributes, version, metrics }) => ({
      resource: { attributes: attributes.map(([key, value]) => attribute(key, value)) },
      scopeMetrics: [{ scope: { name: SCOPE, version }, metrics: metrics.map(metricJson) }],
    })),
  });
}

function metricJson(metric: OtlpMetric) {
  const { name, unit, type } = metric;
  const dataPoints = metric.readings.flatMap((readings) => pointsJson(metric, readings));
  if (type === 'gauge') return { name, unit, gauge: { dataPoints } };
  return { name, unit, sum: { dataPoints, aggregationTemporality: CUMULATIVE, ...(type === 'counter' && { isMonotonic: true }) } };
}

function pointsJson(metric: OtlpMetric, { attributes, rows, time, start }: OtlpReadings) {
  return rows.flatMap((row) => {
    const value = rowValue(row, attributes);
    if (value === undefined) return [];
    return {
      ...(start !== 0n && { startTimeUnixNano: String(start) }),
      timeUnixNano: String(time),
      ...(isInteger(metric, value) ? { asInt: String(value) } : { asDouble: value }),
      attributes: attributes.map((name, at) => attribute(name, row[at]!)),
    };
  });
}

function attribute(key: string, value: string | number) {
  if (typeof value === 'string') return { key, value: { stringValue: value } };
  return { key, value: Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value } };
}
