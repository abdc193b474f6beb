/** dx [N, C] = residual + the gradient of rms_norm's x from dy, by plain loops in float64. */
export function rmsNormBackward(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  rstd: ArrayLike<number>,
  dy: ArrayLike<number>,
  residual: ArrayLike<number>,
): Float64Array {
  const C = weight.length;
  const dx = new Float64Array(x.length);
  for (let row = 0; row < rstd.length; row++) {
    const r = rstd[row]!;
    let mean = 0;
    for (let i = row * C; i < (row + 1) * C; i++) mean += (x[i]! * weight[i % C]! * dy[i]!) / C;
    for (let i = row * C; i < (row + 1) * C; i++) dx[i] = residual[i]! + r * weight[i % C]! * dy[i]! - x[i]! * r ** 3 * mean;
  }
  return dx;
}
