import { describe, expect, test } from "vitest";
import {
  comparisonsOf,
  evalPlusAccepts,
  evalPlusLimits,
  isComparable,
  isSolved,
  referenceCases,
  referenceSteps,
} from "../../src/python/evalplus.ts";
import { decodeValue } from "../../src/python/value.ts";
import type { EvalPlusOracle, EvalPlusSuite } from "../../src/tasks/problem.ts";

const suite = (oracle: EvalPlusOracle, atol = 0): EvalPlusSuite => ({
  kind: "evalplus",
  reference: "",
  alternative: "",
  base: ["1"],
  plus: ["2, 3"],
  atol,
  oracle,
});
const accepts = (oracle: EvalPlusOracle, got: string, expected: string, atol = 0, alternative: string | null = null) =>
  evalPlusAccepts(decodeValue(got), decodeValue(expected), alternative === null ? null : decodeValue(alternative), { oracle, atol });

describe("oracles", () => {
  test.each<[string, boolean, EvalPlusOracle, string, string, number?, (string | null)?]>([
    ["equal by Python's rules", true, "equal", "T", "i1;"],
    ["a tuple is no list", false, "equal", "(i1;)", "[i1;]"],
    ["floats within the tolerance", true, "equal", "f1.0000005;", "f1.0;", 1e-6],
    ["and beyond it", false, "equal", "f1.00001;", "f1.0;", 1e-6],
    ["relative to what is expected", true, "equal", "f100000000.000005;", "f100000000.0;", 1e-9],
    ["lists of floats", true, "equal", "[f1.0;f2.0000001;]", "[f1.0;f2.0;]", 1e-6],
    ["of another length", false, "equal", "[f1.0;]", "[f1.0;f2.0;]", 1e-6],
    ["an int where a float is expected is equal or wrong", false, "equal", "i1;", "f1.0000001;", 1e-6],
    ["nan is near nothing", false, "equal", "fnan;", "fnan;", 1e-6],
    ["text is not near", false, "equal", "s'a'", "s'b'", 1],
    ["sets of the items, in any order", true, "set", "[i2;i1;i2;]", "(i1;i2;)"],
    ["other items", false, "set", "[i2;]", "(i1;i2;)"],
    ["items that cannot be in a set", false, "set", "[[i1;]]", "[i1;]"],
    ["a match where one is expected", true, "not_none", "O1'Match'", "s'x'"],
    ["None where none is", true, "not_none", "N", "N"],
    ["True stands for a match", true, "not_none", "T", "O1'Match'"],
    ["None where a match is", false, "not_none", "N", "O1'Match'"],
    ["anything", true, "anything", "N", "T"],
    ["nought will do", true, "or_zero", "i0;", "i7;"],
    ["the other reading will do", true, "alternative", "i8;", "i7;", 0, "i8;"],
    ["but no third", false, "alternative", "i9;", "i7;", 0, "i8;"],
    ["a root", true, "root", "f-0.5;", "[i1;i2;]", 1e-4],
    ["no root", false, "root", "f0.5;", "[i1;i2;]", 1e-4],
    ["None is no root", false, "root", "N", "[i1;i2;]", 1e-4],
  ])("%s", (_, wanted, oracle, got, expected, atol = 0, alternative = null) => {
    expect(accepts(oracle, got, expected, atol, alternative)).toBe(wanted);
  });
});

test("the tolerance appears with the first floats, and stays", () => {
  const cases = ["i1;", "f1.0;", "i2;"].map((expected) => ({ expected, alternative: null, seconds: 0 }));
  expect(comparisonsOf(suite("equal"), cases).map(({ atol }) => atol)).toEqual([0, 1e-6, 1e-6]);
});

test("limits: four times the reference's time, at least a second, a minute in all", () => {
  const cases = (seconds: number[]) => seconds.map((each) => ({ expected: "N", alternative: null, seconds: each }));
  expect(evalPlusLimits(cases([0.01, 2]))).toEqual({ timeoutMs: 10_000, stepTimeoutsMs: [10_000, 1000, 8000] });
  expect(evalPlusLimits(cases([30])).timeoutMs).toBe(61_000);
  expect(evalPlusLimits(cases([40])).timeoutMs, "a reference that needs longer here").toBe(81_000);
  expect(evalPlusLimits(cases([0.01]), 50).stepTimeoutsMs).toEqual([1050, 50]);
});

test("the reference's steps and what they gave belong together", () => {
  const { sources, perInput } = referenceSteps(suite("alternative"), "f");
  expect(sources).toEqual(["f(1)", "errata_alternative(1)", "f(2, 3)", "errata_alternative(2, 3)"]);
  expect(referenceCases(["i1;", "i2;", "i3;", "i4;"], [0.1, 0.2, 0.4, 0.3], perInput)).toEqual([
    { expected: "i1;", alternative: "i2;", seconds: 0.2 },
    { expected: "i3;", alternative: "i4;", seconds: 0.4 },
  ]);
});

test("what nothing equals is no test, but where its being there is all that counts", () => {
  const found = { expected: "O1'list of too many characters'", alternative: null, seconds: 0 };
  expect([isComparable(suite("equal"), found), isComparable(suite("not_none"), found)]).toEqual([false, true]);
  expect(isComparable(suite("equal"), { ...found, expected: "[i1;]" })).toBe(true);
});

test("a polynomial that the reference does not solve here is no test", () => {
  const solved = (root: string) => isSolved(suite("root", 1e-4), { expected: "[i1;i2;]", alternative: root, seconds: 0 });
  expect([solved("f-0.5;"), solved("f0.1;")]).toEqual([true, false]);
});
