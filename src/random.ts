// Counter-based random numbers: a draw is a function of (seed, stream, index), never of what was drawn before, so a run can
// resume, replay or batch in any order and draw the same numbers. The same generator is in shaders/sample_token.wgsl.

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** High 32 bits of the 64-bit product of two unsigned 32-bit integers. */
function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = (middle & 0xffff) + aLow * bHigh;
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)) >>> 0;
}

/** Philox 4x32-10 (Salmon et al., SC 2011): four unsigned 32-bit integers from a 64-bit key and a 128-bit counter. */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = mulHigh(M0, c0);
    const low0 = Math.imul(M0, c0) >>> 0;
    const high1 = mulHigh(M1, c2);
    const low1 = Math.imul(M1, c2) >>> 0;
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** The stream number of a name such as "exam/Demo/3/17" (FNV-1a, 32 bits): names keep streams apart and readable. */
export function streamOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** A number in [0, 1) with 53 random bits, from (seed, stream, index). */
export function uniform(seed: number, stream: number, index: number): number {
  const [a, b] = philox([index >>> 0, Math.floor(index / 2 ** 32) >>> 0, 0, 0], [seed >>> 0, stream >>> 0]);
  return ((a >>> 5) * 67108864 + (b >>> 6)) / 9007199254740992;
}

/** A standard normal number (Box-Muller) from (seed, stream, index). */
export function normal(seed: number, stream: number, index: number): number {
  const [a, b, c, d] = philox([index >>> 0, Math.floor(index / 2 ** 32) >>> 0, 1, 0], [seed >>> 0, stream >>> 0]);
  const u = ((a >>> 5) * 67108864 + (b >>> 6) + 1) / 9007199254740992; // in (0, 1]: its logarithm is finite
  const v = ((c >>> 5) * 67108864 + (d >>> 6)) / 9007199254740992;
  return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
}

/** An integer in [0, n), from (seed, stream, index). */
export function integer(seed: number, stream: number, index: number, n: number): number {
  return Math.floor(uniform(seed, stream, index) * n);
}

/** A shuffled copy (Fisher-Yates); draws indices 0 .. items.length - 2 of the stream. */
export function shuffled<T>(items: readonly T[], seed: number, stream: number): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = integer(seed, stream, out.length - 1 - i, i + 1);
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}
