/** y [S, heads * D]: row slots[t] is row t of x turned by the angles of its position; rotary [P, D] holds D/2 cosines, then D/2 sines. */
export function rope(
  x: ArrayLike<number>,
  positions: ArrayLike<number>,
  slots: ArrayLike<number>,
  rotary: ArrayLike<number>,
  start: ArrayLike<number>,
  D: number,
): Float64Array {
  const y = Float64Array.from(start);
  const width = x.length / positions.length;
  for (let t = 0; t < positions.length; t++) {
    for (let column = 0; column < width; column++) {
      const i = column % D;
      const angle = positions[t]! * D + (i % (D / 2));
      const partner = i < D / 2 ? -x[t * width + column + D / 2]! : x[t * width + column - D / 2]!;
      y[slots[t]! * width + column] = x[t * width + column]! * rotary[angle]! + partner * rotary[angle + D / 2]!;
    }
  }
  return y;
}
