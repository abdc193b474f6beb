// How often each kind of thing occurs, as the files keep it: an object by name. Answers name their own exceptions, also `constructor`
// or `__proto__`, which every object answers to: so counts are read and added to here.

export type Counts = Record<string, number>;

/** How many there are of a kind: 0 where it was not counted. */
export function countOf(counts: Readonly<Counts>, kind: string): number {
  return Object.hasOwn(counts, kind) ? counts[kind]! : 0;
}

/** Counts `by` more of a kind. */
export function addCount(counts: Counts, kind: string, by = 1): void {
  const value = countOf(counts, kind) + by;
  Object.defineProperty(counts, kind, { value, enumerable: true, configurable: true, writable: true });
}

/** How often each kind occurs, in the order of first appearance. */
export function countEach(kinds: Iterable<string>): Counts {
  const counts: Counts = {};
  for (const kind of kinds) addCount(counts, kind);
  return counts;
}

/** Whether something that was read is counts by name. (valibot's record() leaves `constructor` and `__proto__` out without a word.) */
export function isCounts(value: unknown): value is Counts {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((count) => typeof count === "number");
}
