/**
 * Quantises rows of a multiple of 32 values, group by group (scale = largest / 127 or 7, half to even), and packs them: the words, the
 * scales and the values that a reader of them must find.
 */
export function packQuantised(values: Float32Array, bits: 8 | 4): { words: Uint32Array; scales: Float32Array; dequantised: Float32Array } {
  const most = 2 ** (bits - 1) - 1;
  const scales = new Float32Array(values.length / 32);
  const words = new Uint32Array((values.length * bits) / 32);
  const dequantised = new Float32Array(values.length);
  scales.forEach((_, group) => {
    const largest = values.subarray(32 * group, 32 * group + 32).reduce((a, v) => Math.max(a, Math.abs(v)), 0);
    scales[group] = largest / most;
  });
  values.forEach((value, i) => {
    const scale = scales[Math.floor(i / 32)]!;
    const q = scale === 0 ? 0 : Math.max(-most, Math.min(most, roundHalfToEven(Math.fround(value / scale)))) + 0; // no negative zero
    dequantised[i] = q * scale;
    const bit = i * bits;
    words[Math.floor(bit / 32)]! |= (q & (2 ** bits - 1)) << (bit % 32);
  });
  return { words, scales, dequantised };
}

function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}
