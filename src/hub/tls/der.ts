/*
 * As much of DER (X.690) as a certificate needs to be written: tag, length, content. A library for it would bring
 * fifteen packages for what stands in these lines.
 */

const node =
  (tag: number) =>
  (...parts: Uint8Array[]): Buffer => {
    const content = Buffer.concat(parts);
    return Buffer.concat([Buffer.from([tag]), lengthOf(content), content]);
  };

function lengthOf(content: Buffer): Buffer {
  if (content.length < 0x80) return Buffer.from([content.length]);
  const hex = content.length.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes]);
}

export const sequence = node(0x30);
export const set = node(0x31);
export const octets = node(0x04);
export const TRUE = Buffer.from([0x01, 0x01, 0xff]);

/** A constructed value under a context tag of its own (explicit). */
export const explicit = (tag: number, ...parts: Uint8Array[]) => node(0xa0 | tag)(...parts);
/** Bytes under a context tag in place of their own (implicit, primitive). */
export const implicit = (tag: number, content: Uint8Array) => node(0x80 | tag)(content);

/** A number that is not negative, from its bytes, most significant first. */
export function integer(bytes: Uint8Array): Buffer {
  return node(0x02)((bytes[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
}

/** Bits; `unused` of the last byte do not count. */
export const bits = (content: Uint8Array, unused = 0) => node(0x03)(Buffer.from([unused]), content);
export const utf8 = (text: string) => node(0x0c)(Buffer.from(text));

/** An object identifier from its dotted form. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return node(0x06)(Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): number[] {
  const digits = [value & 0x7f];
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) digits.unshift(0x80 | (rest & 0x7f));
  return digits;
}

/** A time in whole seconds: two digits of the year until 2049, four afterwards (RFC 5280, 4.1.2.5). */
export function time(ms: number): Buffer {
  const digits = `${new Date(ms).toISOString().replace(/\D/g, '').slice(0, 14)}Z`;
  return digits < '2050' ? node(0x17)(Buffer.from(digits.slice(2))) : node(0x18)(Buffer.from(digits));
}
