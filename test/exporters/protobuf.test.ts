import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtobufWriter, readProtobuf } from '../../src/exporters/protobuf.ts';

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

describe('readProtobuf', () => {
  it('reads back fields in order', () => {
    const writer = new ProtobufWriter(4);
    writer.string(2, 'why');
    writer.int(1, 2 ** 40);
    const [count, text, ...rest] = readProtobuf(writer.finish()) ?? [];
    expect(count).toEqual({ field: 1, value: 2 ** 40 });
    expect(text?.field).toBe(2);
    expect(Buffer.from(text?.value as Uint8Array).toString()).toBe('why');
    expect(rest).toEqual([]);
  });

  it('says of a web page and of a cut message that they are none', () => {
    expect(readProtobuf(Buffer.from('<!doctype html><html></html>'))).toBeUndefined();
    expect(readProtobuf(Buffer.from('12077465', 'hex'))).toBeUndefined();
    expect(readProtobuf(Buffer.from('08ff', 'hex'))).toBeUndefined();
  });

  it('ends on any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => readProtobuf(bytes) === undefined || true));
  });
});
