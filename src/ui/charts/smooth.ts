/**
 * Exponential moving average that starts at the first value; gaps stay gaps.
 * @param keep share of the past kept at each step, 0 to 1
 */
export function smooth(values: readonly (number | null)[], keep: number): (number | null)[] {
  let average: number | null = null;
  return values.map((value) => {
    if (value === null || !Number.isFinite(value)) return null;
    average = average === null ? value : keep * average + (1 - keep) * value;
    return average;
  });
}
