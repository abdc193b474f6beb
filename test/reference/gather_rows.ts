/** y [M, C] = rows `rows` of x [T, C]. */
export function gatherRows(x: ArrayLike<number>, rows: ArrayLike<number>, C: number): Float64Array {
  const y = new Float64Array(rows.length * C);
  for (let m = 0; m < rows.length; m++) {
    for (let c = 0; c < C; c++) y[m * C + c] = x[rows[m]! * C + c]!;
  }
  return y;
}
