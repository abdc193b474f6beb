/** o [T, H * D] from parts [T, chunks, H, D + 2] of tokens that have so many chunks each, in float64. */
export function attentionJoin(parts: ArrayLike<number>, used: readonly number[], chunks: number, H: number, D: number): Float64Array {
  const o = new Float64Array(used.length * H * D);
  used.forEach((count, t) => {
    for (let head = 0; head < H; head++) {
      const at = (c: number) => ((t * chunks + c) * H + head) * (D + 2);
      let total = 0;
      for (let c = 0; c < count; c++) total += Math.exp(parts[at(c) + D]!) * parts[at(c) + D + 1]!;
      for (let c = 0; c < count; c++) {
        for (let d = 0; d < D; d++) o[(t * H + head) * D + d]! += (Math.exp(parts[at(c) + D]!) * parts[at(c) + d]!) / total;
      }
    }
  });
  return o;
}
