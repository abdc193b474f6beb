/**
 * The points that a line of `width` pixels needs: of every column the first, the smallest, the largest and the last, so that no spike is lost.
 * @returns indices into `values`, ascending; gaps (null) at their places
 */
export function decimate(values: readonly (number | null)[], width: number): number[] {
  if (values.length <= 4 * width) return values.map((_, index) => index);
  const kept: number[] = [];
  for (let column = 0; column < width; column++) {
    const from = Math.floor((column * values.length) / width);
    const to = Math.floor(((column + 1) * values.length) / width);
    kept.push(...extremes(values, from, to));
  }
  return kept;
}

function extremes(values: readonly (number | null)[], from: number, to: number): number[] {
  let [low, high] = [from, from];
  const picked = new Set([from, to - 1]);
  for (let index = from; index < to; index++) {
    const value = values[index];
    if (value === null) picked.add(index);
    else {
      if (value < (values[low] ?? Number.POSITIVE_INFINITY)) low = index;
      if (value > (values[high] ?? Number.NEGATIVE_INFINITY)) high = index;
    }
  }
  return [...picked.add(low).add(high)].sort((a, b) => a - b);
}
