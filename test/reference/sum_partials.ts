/** sums [2]: the columns of partials [P, 2] added up, in float64. */
export function sumPartials(partials: ArrayLike<number>): [number, number] {
  const sums: [number, number] = [0, 0];
  for (let i = 0; i < partials.length; i++) sums[i % 2]! += partials[i]!;
  return sums;
}
