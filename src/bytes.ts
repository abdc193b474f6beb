// Bytes: put together, and their checksums.

/** The pieces in one. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** What each byte adds to a CRC of the reversed polynomial. */
const crcTable = (polynomial: number): Uint32Array =>
  Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    return crc;
  });

function crc(table: Uint32Array, bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) sum = table[(sum ^ bytes[i]!) & 255]! ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}

const ZIP = crcTable(0xedb88320);
const CASTAGNOLI = crcTable(0x82f63b78);

/** The checksum of zip and gzip. */
export const crc32 = (bytes: Uint8Array): number => crc(ZIP, bytes);

/** CRC-32C (RFC 3720, appendix B.4), the checksum of TFRecord. */
export const crc32c = (bytes: Uint8Array): number => crc(CASTAGNOLI, bytes);

/** Bytes after which the sums still fit in 32 bits. */
const ADLER_PIECE = 3800;

/** The checksum of zlib (RFC 1950). */
export function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let from = 0; from < bytes.length; from += ADLER_PIECE) {
    for (const byte of bytes.subarray(from, from + ADLER_PIECE)) {
      a += byte;
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return b * 65536 + a;
}
