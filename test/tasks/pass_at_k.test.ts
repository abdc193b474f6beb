import { expect, test } from "vitest";
import { passAtK } from "../../src/tasks/pass_at_k.ts";

test("pass@1 is the share that passed; pass@n is whether any passed", () => {
  expect(passAtK(10, 3, 1)).toBeCloseTo(0.3, 15);
  expect(passAtK(10, 1, 10)).toBe(1);
  expect(passAtK(10, 0, 10)).toBe(0);
});

test("equals the share of k-subsets with a pass in it, counted one by one", () => {
  const n = 6;
  const subsets = Array.from({ length: 2 ** n }, (_, set) => set).filter(
    (set) => [...set.toString(2)].filter((bit) => bit === "1").length === 3,
  );
  const passing = subsets.filter((set) => (set & 0b11) !== 0).length; // answers 0 and 1 passed
  expect(passAtK(n, 2, 3)).toBeCloseTo(passing / subsets.length, 15);
});

test("n < k is refused", () => {
  expect(() => passAtK(4, 2, 5)).toThrow("pass@5 needs at least 5 answers per problem, found 4");
});
