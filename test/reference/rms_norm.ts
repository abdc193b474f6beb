/** y [N, C] = x * rstd * weight, rstd [N] = 1 / sqrt(mean(x²) + eps), by plain loops in float64. */
export function rmsNorm(x: ArrayLike<number>, weight: ArrayLike<number>, eps: number): { y: Float64Array; rstd: Float64Array } {
  const C = weight.length;
  const N = x.length / C;
  const y = new Float64Array(N * C);
  const rstd = new Float64Array(N);
  for (let row = 0; row < N; row++) {
    let squares = 0;
    for (let c = 0; c < C; c++) squares += x[row * C + c]! ** 2;
    rstd[row] = 1 / Math.sqrt(squares / C + eps);
    for (let c = 0; c < C; c++) y[row * C + c] = x[row * C + c]! * rstd[row]! * weight[c]!;
  }
  return { y, rstd };
}
