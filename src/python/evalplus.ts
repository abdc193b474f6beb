// EvalPlus's judging (evalplus/eval/__init__.py, 0.3.1): what the reference solution gave for each input is what an answer must give,
// compared by the problem's oracle, and by tolerance where the reference gives floats.
import type { EvalPlusOracle, EvalPlusSuite } from "../tasks/problem.ts";
import { asFloat, equals, membersOf, typeName } from "./compare.ts";
import { decodeValue, type PyValue } from "./value.ts";

/** What the reference solution gave for one input. */
export interface ReferenceCase {
  /** Encoded; for the oracle "root" the argument. */
  readonly expected: string;
  /** What else is accepted, for the oracle "alternative"; what the reference gave, for "root". */
  readonly alternative: string | null;
  readonly seconds: number;
}

export interface Comparison {
  readonly oracle: EvalPlusOracle;
  /** Floats may be this far off; 0: they must be equal. */
  readonly atol: number;
}

const TIME_FACTOR = 4; // EvalPlus's gt_time_limit_factor
const LEAST_MS = 1000; // its min_time_limit
const MOST_MS = 60_000; // its EVALPLUS_TIMEOUT_PER_TASK
/** The tolerance where floats are expected. */
export const FLOAT_ATOL = 1e-6;
const RTOL = 1e-7;

/** The Python of the run that finds out what is expected, and how many steps each input takes. */
export function referenceSteps(suite: EvalPlusSuite, entryPoint: string): { sources: string[]; perInput: number } {
  const each = (args: string): string[] => {
    const called = `${entryPoint}(${args})`;
    if (suite.oracle === "root") return [`[${args}][0]`, called];
    return suite.oracle === "alternative" ? [called, `errata_alternative(${args})`] : [called];
  };
  return {
    sources: [...suite.base, ...suite.plus].flatMap(each),
    perInput: suite.oracle === "alternative" || suite.oracle === "root" ? 2 : 1,
  };
}

/** The cases from what those steps gave. */
export function referenceCases(results: readonly string[], seconds: readonly number[], perInput: number): ReferenceCase[] {
  return Array.from({ length: results.length / perInput }, (_, i) => ({
    expected: results[i * perInput]!,
    alternative: perInput === 2 ? results[i * perInput + 1]! : null,
    seconds: Math.max(...seconds.slice(i * perInput, (i + 1) * perInput)),
  }));
}

/** False where the reference gave what nothing is equal to outside: an object of its own class, or 64 million characters. */
export function isComparable({ oracle }: EvalPlusSuite, { expected }: ReferenceCase): boolean {
  return oracle === "not_none" || oracle === "anything" || decodeValue(expected).type !== "opaque";
}

/** False for a polynomial at which the reference's own root is none: its iteration depends on the last bit of the machine's pow(). */
export function isSolved(suite: EvalPlusSuite, { expected, alternative }: ReferenceCase): boolean {
  return suite.oracle !== "root" || alternative === null || isRoot(decodeValue(alternative), decodeValue(expected), suite.atol);
}

/** How each case is compared. Once a reference gave floats EvalPlus keeps the tolerance for the cases after it. */
export function comparisonsOf(suite: EvalPlusSuite, cases: readonly ReferenceCase[]): Comparison[] {
  let { atol } = suite;
  return cases.map(({ expected }) => {
    if (atol === 0 && suite.oracle !== "root" && isFloats(decodeValue(expected))) atol = FLOAT_ATOL;
    return { oracle: suite.oracle, atol };
  });
}

/**
 * EvalPlus's limits: four times the reference's own time for each test, at least a second; all of them together at most a minute, and one
 * more. Where the reference itself needs over half a minute in this Python, the minute is twice its time.
 */
export function evalPlusLimits(cases: readonly ReferenceCase[], leastMs = LEAST_MS): { timeoutMs: number; stepTimeoutsMs: number[] } {
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
  const limits = cases.map(({ seconds }) => Math.max(leastMs, TIME_FACTOR * seconds * 1000));
  const ownMs = 1000 * sum(cases.map(({ seconds }) => seconds));
  const timeoutMs = Math.min(Math.max(MOST_MS, 2 * ownMs), sum(limits)) + 1000;
  return { timeoutMs, stepTimeoutsMs: [timeoutMs, ...limits] };
}

/** EvalPlus's is_floats: a float, or a list or tuple of nothing else. */
export function isFloats(value: PyValue): boolean {
  if (value.type === "float") return true;
  if (value.type !== "list" && value.type !== "tuple") return false;
  return value.items.length > 0 && value.items.every((item) => item.type === "float");
}

/**
 * Whether EvalPlus accepts `got`.
 * @param expected for the oracle "root" the polynomial's coefficients, else what the reference gave
 */
export function evalPlusAccepts(got: PyValue, expected: PyValue, alternative: PyValue | null, { oracle, atol }: Comparison): boolean {
  if (oracle === "root") return isRoot(got, expected, atol);
  if (matches(got, expected, alternative, oracle)) return true;
  return atol !== 0 && sameShape(got, expected) && allClose(got, expected, atol);
}

function matches(got: PyValue, expected: PyValue, alternative: PyValue | null, oracle: Exclude<EvalPlusOracle, "root">): boolean {
  switch (oracle) {
    case "anything":
      return true;
    case "or_zero":
      return equals(got, expected) || equals(got, { type: "int", value: 0n });
    case "alternative":
      return equals(got, expected) || (alternative !== null && equals(got, alternative));
    case "set": {
      const [a, b] = [membersOf(got), membersOf(expected)];
      return a !== null && b !== null && equals(a, b);
    }
    case "not_none": {
      const wanted = expected.type !== "none";
      return got.type === "bool" ? got.value === wanted : (got.type !== "none") === wanted;
    }
    case "equal":
      return equals(got, expected);
  }
}

function sameShape(got: PyValue, expected: PyValue): boolean {
  if (typeName(got) !== typeName(expected)) return false;
  const sized = (value: PyValue) => (value.type === "list" || value.type === "tuple" ? value.items.length : 0);
  return sized(got) === sized(expected);
}

/** numpy.allclose for nested sequences of numbers: |got - expected| <= atol + rtol * |expected|. */
function allClose(got: PyValue, expected: PyValue, atol: number): boolean {
  if ((got.type === "list" || got.type === "tuple") && (expected.type === "list" || expected.type === "tuple")) {
    return got.items.length === expected.items.length && got.items.every((item, i) => allClose(item, expected.items[i]!, atol));
  }
  const [a, b] = [asFloat(got), asFloat(expected)];
  if (a === null || b === null) return false;
  return a === b || Math.abs(a - b) <= atol + RTOL * Math.abs(b);
}

/** HumanEval/32: the polynomial with these coefficients is about 0 at `got`. */
function isRoot(got: PyValue, coefficients: PyValue, atol: number): boolean {
  const x = asFloat(got);
  if (x === null || coefficients.type !== "list") return false;
  let sum = 0;
  for (const [i, coefficient] of coefficients.items.entries()) sum += (asFloat(coefficient) ?? NaN) * x ** i;
  return Math.abs(sum) <= atol;
}
