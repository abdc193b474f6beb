/** The sum of squares of the finite entries, and how many are not, in float64. */
export function sumOfSquares(x: ArrayLike<number>): [squares: number, notFinite: number] {
  let squares = 0;
  let notFinite = 0;
  for (let i = 0; i < x.length; i++) {
    if (Number.isFinite(x[i])) squares += x[i]! ** 2;
    else notFinite += 1;
  }
  return [squares, notFinite];
}
