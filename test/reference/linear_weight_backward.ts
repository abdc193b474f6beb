/** dweight [N, K] = scale * dy [rows, N]ᵀ x [rows, K], by plain loops in float64. */
export function linearWeightBackward(dy: ArrayLike<number>, x: ArrayLike<number>, K: number, N: number, scale = 1): Float64Array {
  const rows = dy.length / N;
  const dweight = new Float64Array(N * K);
  for (let n = 0; n < N; n++) {
    for (let k = 0; k < K; k++) {
      let sum = 0;
      for (let row = 0; row < rows; row++) sum += dy[row * N + n]! * x[row * K + k]!;
      dweight[n * K + k] = scale * sum;
    }
  }
  return dweight;
}
