/** Rounds to f16 (nearest, ties to even; normal range only) and packs pairs into words: the rounded values and the words. */
export function packF16(values: Float32Array): { words: Uint32Array; rounded: Float32Array } {
  const halves = new Uint16Array(values.length + (values.length % 2));
  const rounded = new Float32Array(values.length);
  values.forEach((value, i) => {
    const exponent = Math.max(Math.floor(Math.log2(Math.abs(value) || 2 ** -14)), -14);
    const step = 2 ** (exponent - 10);
    const units = value / step;
    const even = Math.abs(units % 1) === 0.5 ? 2 * Math.round(units / 2) : Math.round(units);
    rounded[i] = even * step;
    halves[i] = halfBits(rounded[i]!);
  });
  return { words: new Uint32Array(halves.buffer), rounded };
}

function halfBits(value: number): number {
  const sign = value < 0 ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size < 2 ** -14) return sign | Math.round(size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  return sign | ((exponent + 15) << 10) | Math.round((size / 2 ** exponent - 1) * 1024);
}
