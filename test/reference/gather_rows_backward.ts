/** dx [T, C]: dx[t] sums weight[m] * dy[m] over the rows m gathered from t: order[starts[t]] .. order[starts[t + 1] - 1]. */
export function gatherRowsBackward(
  dy: ArrayLike<number>,
  weight: ArrayLike<number>,
  order: ArrayLike<number>,
  starts: ArrayLike<number>,
  C: number,
): Float64Array {
  const T = starts.length - 1;
  const dx = new Float64Array(T * C);
  for (let t = 0; t < T; t++) {
    for (let i = starts[t]!; i < starts[t + 1]!; i++) {
      const m = order[i]!;
      for (let c = 0; c < C; c++) dx[t * C + c]! += weight[m]! * dy[m * C + c]!;
    }
  }
  return dx;
}
