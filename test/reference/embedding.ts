/** y [T, C] = rows `ids` of table [V, C]. */
export function embedding(table: ArrayLike<number>, ids: ArrayLike<number>, C: number): Float64Array {
  const y = new Float64Array(ids.length * C);
  for (let t = 0; t < ids.length; t++) {
    for (let c = 0; c < C; c++) y[t * C + c] = table[ids[t]! * C + c]!;
  }
  return y;
}
