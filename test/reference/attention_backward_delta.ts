/** stats [T, H, 2] = (lse, sum over D of d_o * o), in float64. */
export function attentionBackwardDelta(o: ArrayLike<number>, d_o: ArrayLike<number>, lse: ArrayLike<number>, D: number): Float64Array {
  const stats = new Float64Array(2 * lse.length);
  for (let row = 0; row < lse.length; row++) {
    stats[2 * row] = lse[row]!;
    for (let d = 0; d < D; d++) stats[2 * row + 1]! += d_o[row * D + d]! * o[row * D + d]!;
  }
  return stats;
}
