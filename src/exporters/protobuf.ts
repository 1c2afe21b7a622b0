/*
 * The little of protocol buffers that OTLP needs (protobuf.dev/programming-guides/encoding). The writer fills its
 * buffer from the end to the start: a message's length stands before its content and is known only after it, and this
 * way nothing is measured twice or copied. So callers write the fields of a message in reverse.
 */

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;

/** Encodes one message, last field first. */
export class ProtobufWriter {
  #bytes: Buffer;
  #start: number;

  /** `capacity`: bytes to begin with; it grows as needed. */
  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
    this.#start = capacity;
  }

  /** What has been written; valid until the next write. */
  finish(): Buffer {
    return this.#bytes.subarray(this.#start);
  }

  /** Begins an embedded message (at its end); give what it returns to `close`. */
  open(): number {
    return this.#bytes.length - this.#start;
  }

  /** Ends an embedded message whose fields have all been written. */
  close(field: number, opened: number): void {
    this.#varint(this.#bytes.length - this.#start - opened);
    this.#tag(field, DELIMITED);
  }

  string(field: number, text: string): void {
    const length = Buffer.byteLength(text);
    this.#room(length);
    this.#bytes.write(text, this.#start, 'utf8');
    this.#varint(length);
    this.#tag(field, DELIMITED);
  }

  /** int64, enum and bool; a safe integer. */
  int(field: number, value: number): void {
    if (value < 0) this.#negative(value);
    else this.#varint(value);
    this.#tag(field, VARINT);
  }

  double(field: number, value: number): void {
    this.#room(8);
    this.#bytes.writeDoubleLE(value, this.#start);
    this.#tag(field, FIXED64);
  }

  /** A safe integer. */
  sfixed64(field: number, value: number): void {
    const high = Math.floor(value / 2 ** 32);
    this.#room(8);
    this.#bytes.writeUInt32LE(value - high * 2 ** 32, this.#start);
    this.#bytes.writeInt32LE(high, this.#start + 4);
    this.#tag(field, FIXED64);
  }

  fixed64(field: number, value: bigint): void {
    this.#room(8);
    this.#bytes.writeBigUInt64LE(value, this.#start);
    this.#tag(field, FIXED64);
  }

  #tag(field: number, type: number): void {
    this.#varint(field * 8 + type);
  }

  #varint(value: number): void {
    let size = 1;
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size += 1;
    this.#room(size);
    let rest = value;
    for (let at = this.#start; at < this.#start + size - 1; at += 1) {
      this.#bytes[at] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#start + size - 1] = rest;
  }

  /** Ten bytes: the two's complement of 64 bits. */
  #negative(value: number): void {
    this.#room(10);
    let rest = BigInt.asUintN(64, BigInt(value));
    for (let at = this.#start; at < this.#start + 9; at += 1) {
      this.#bytes[at] = Number(rest & 127n) + 128;
      rest >>= 7n;
    }
    this.#bytes[this.#start + 9] = Number(rest);
  }

  #room(size: number): void {
    if (this.#start < size) {
      const larger = Buffer.allocUnsafeSlow((this.#bytes.length + size) * 2);
      this.#bytes.copy(larger, larger.length - this.#bytes.length + this.#start, this.#start);
      this.#start += larger.length - this.#bytes.length;
      this.#bytes = larger;
    }
    this.#start -= size;
  }
}
