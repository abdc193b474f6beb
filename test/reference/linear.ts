/** y [rows, N] = scale * x [rows, K] weight [N, K]ᵀ + bias [N], by plain loops in float64. */
export function linear(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  bias: ArrayLike<number> | null,
  K: number,
  N: number,
  scale = 1,
): Float64Array {
  const rows = x.length / K;
  const y = new Float64Array(rows * N);
  for (let row = 0; row < rows; row++) {
    for (let n = 0; n < N; n++) {
      let sum = 0;
      for (let k = 0; k < K; k++) sum += x[row * K + k]! * weight[n * K + k]!;
      y[row * N + n] = scale * sum + (bias?.[n] ?? 0);
    }
  }
  return y;
}
