/** dx [rows, K] = scale * dy [rows, N] weight [N, K], by plain loops in float64. */
export function linearBackward(dy: ArrayLike<number>, weight: ArrayLike<number>, K: number, N: number, scale = 1): Float64Array {
  const rows = dy.length / N;
  const dx = new Float64Array(rows * K);
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < K; k++) {
      let sum = 0;
      for (let n = 0; n < N; n++) sum += dy[row * N + n]! * weight[n * K + k]!;
      dx[row * K + k] = scale * sum;
    }
  }
  return dx;
}
