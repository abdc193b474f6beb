/** dx [T, heads * D]: each row of dy turned back by the angles of its position, in float64. */
export function ropeBackward(dy: ArrayLike<number>, positions: ArrayLike<number>, rotary: ArrayLike<number>, D: number): Float64Array {
  const dx = new Float64Array(dy.length);
  const width = dy.length / positions.length;
  for (let t = 0; t < positions.length; t++) {
    for (let column = 0; column < width; column++) {
      const i = column % D;
      const angle = positions[t]! * D + (i % (D / 2));
      const partner = i < D / 2 ? dy[t * width + column + D / 2]! : -dy[t * width + column - D / 2]!;
      dx[t * width + column] = dy[t * width + column]! * rotary[angle]! + partner * rotary[angle + D / 2]!;
    }
  }
  return dx;
}
