/** y [S, N] with y[slots[t]] = x[t]; rows that no slot names hold `start`'s values. */
export function scatterRows(x: ArrayLike<number>, slots: ArrayLike<number>, start: ArrayLike<number>, N: number): Float64Array {
  const y = Float64Array.from(start);
  for (let t = 0; t < slots.length; t++) {
    for (let n = 0; n < N; n++) y[slots[t]! * N + n] = x[t * N + n]!;
  }
  return y;
}
