import { describe, expect, it } from 'vitest';
import { ProtobufWriter } from '../../src/exporters/protobuf.ts';

const hex = (write: (writer: ProtobufWriter) => void): string => {
  const writer = new ProtobufWriter(1);
  write(writer);
  return writer.finish().toString('hex');
};

describe('ProtobufWriter', () => {
  it('encodes the examples of the protobuf documentation', () => {
    expect(hex((writer) => writer.int(1, 150))).toBe('089601');
    expect(hex((writer) => writer.string(2, 'testing'))).toBe('120774657374696e67');
    expect(hex((writer) => writer.int(1, -2))).toBe('08feffffffffffffffff01');
    const embedded = hex((writer) => {
      const opened = writer.open();
      writer.int(1, 150);
      writer.close(3, opened);
    });
    expect(embedded).toBe('1a03089601');
  });

  it('encodes numbers of eight bytes, low byte first', () => {
    expect(hex((writer) => writer.double(4, 1))).toBe('21000000000000f03f');
    expect(hex((writer) => writer.fixed64(3, 1n))).toBe('190100000000000000');
    expect(hex((writer) => writer.sfixed64(6, -1))).toBe('31ffffffffffffffff');
    expect(hex((writer) => writer.sfixed64(6, Number.MAX_SAFE_INTEGER))).toBe('31ffffffffffff1f00');
    expect(hex((writer) => writer.sfixed64(6, Number.MIN_SAFE_INTEGER))).toBe('31010000000000e0ff');
  });
});
