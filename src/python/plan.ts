// The plan of a problem's tests, made by sandbox/split.py: steps that run inside, in order, and checks that are made here, outside.
import * as v from "valibot";
import type { EvalPlusSuite, ProgramSuite } from "../tasks/problem.ts";
import { asFloat, compareOrder, contains, equals, identical, PyError, truthy, typeName } from "./compare.ts";
import { type Comparison, comparisonsOf, evalPlusAccepts, FLOAT_ATOL, isFloats, isSolved, type ReferenceCase } from "./evalplus.ts";
import { firstDifference } from "./printed.ts";
import { STEP_KINDS } from "./sandbox_protocol.ts";
import { decodeValue, type PyValue, textOf } from "./value.ts";

export type Tree =
  /** What a "value" step gave. */
  | { op: "step"; step: number }
  /** An encoded value. */
  | { op: "constant"; value: string }
  /** A chain of comparisons, as in 1 < x <= 5: one more operand than signs. */
  | { op: "compare"; by: string[]; of: Tree[] }
  | { op: "and" | "or"; of: Tree[] }
  | { op: "not"; of: Tree }
  | { op: "arithmetic"; by: string; of: Tree[] }
  | { op: "function"; name: string; of: Tree[]; named: Record<string, Tree> }
  /** What a program printed is one of these. */
  | { op: "printed"; step: number; accepted: readonly string[]; numbersByValue: boolean }
  /** EvalPlus accepts the step's value, given what the reference gave. */
  | { op: "evalplus"; step: number; expected: string; alternative: string | null; by: Comparison };

/** The trees that split.py writes. */
type SplitTree = Exclude<Tree, { op: "printed" | "evalplus" }>;

const treeSchema: v.GenericSchema<SplitTree> = v.lazy(() =>
  v.variant("op", [
    v.object({ op: v.literal("step"), step: v.number() }),
    v.object({ op: v.literal("constant"), value: v.string() }),
    v.object({ op: v.literal("compare"), by: v.array(v.string()), of: v.array(treeSchema) }),
    v.object({ op: v.picklist(["and", "or"]), of: v.array(treeSchema) }),
    v.object({ op: v.literal("not"), of: treeSchema }),
    v.object({ op: v.literal("arithmetic"), by: v.string(), of: v.array(treeSchema) }),
    v.object({ op: v.literal("function"), name: v.string(), of: v.array(treeSchema), named: v.record(v.string(), treeSchema) }),
  ]),
);

const planSchema = v.union([
  v.object({ error: v.string() }),
  v.object({
    steps: v.array(v.object({ kind: v.picklist(STEP_KINDS), test: v.number(), source: v.string() })),
    /** `after`: the number of steps after which the check can be made. `text`: the asserted expression. */
    checks: v.array(v.object({ test: v.number(), after: v.number(), text: v.string(), tree: treeSchema })),
  }),
]);

type SplitPlan = Exclude<v.InferOutput<typeof planSchema>, { error: string }>;
export type Step = SplitPlan["steps"][number];
export type Check = Omit<SplitPlan["checks"][number], "tree"> & { tree: Tree };
export interface Plan {
  readonly steps: Step[];
  readonly checks: Check[];
}

/** One run of the program per case, and a look at what it printed. */
export function planOfPrograms({ cases, numbersByValue }: ProgramSuite): Plan {
  return {
    steps: cases.map(({ stdin }, test) => ({ kind: "program", test, source: stdin })),
    checks: cases.map(({ accepted }, test) => {
      const tree: Tree = { op: "printed", step: test, accepted, numbersByValue };
      return { test, after: test + 1, text: "its output", tree };
    }),
  };
}

/**
 * One call per input, its value compared with what the reference solution gave. `inputs` and `cases` belong together by their order; an
 * input without a case is left out.
 */
export function planOfEvalPlus(
  suite: EvalPlusSuite,
  entryPoint: string,
  inputs: readonly string[],
  cases: readonly (ReferenceCase | null)[],
): Plan {
  const asked = inputs.flatMap((args, test) => (cases[test] ? [{ test, source: `${entryPoint}(${args})`, given: cases[test] }] : []));
  const comparisons = comparisonsOf(
    suite,
    asked.map(({ given }) => given),
  );
  const checks = asked.flatMap(({ test, source, given }, step): Check[] => {
    const { expected, alternative } = given;
    const tree: Tree = { op: "evalplus", step, expected, alternative, by: comparisons[step]! };
    return isSolved(suite, given) ? [{ test, after: step + 1, text: source, tree }] : [];
  });
  return { steps: asked.map(({ test, source }) => ({ kind: "value", test, source })), checks };
}

/**
 * Reads a plan as split.py writes it.
 * @throws Error with split.py's sentence when a test or the setup does not parse
 */
export function readPlan(json: string): Plan {
  const plan = v.parse(planSchema, JSON.parse(json));
  if ("error" in plan) throw new Error(plan.error);
  return plan;
}

/**
 * The value of a check's tree.
 * @param steps values of the steps so far, by their number
 * @throws PyError what Python would raise
 */
export function evaluate(tree: Tree, steps: ReadonlyMap<number, PyValue>): PyValue {
  switch (tree.op) {
    case "step":
      return valueOfStep(tree.step, steps);
    case "constant":
      return constant(tree.value);
    case "printed":
      return bool(!tree.accepted.every((accepted) => printedDifference(tree, accepted, steps)));
    case "evalplus": {
      const alternative = tree.alternative === null ? null : constant(tree.alternative);
      return bool(evalPlusAccepts(valueOfStep(tree.step, steps), constant(tree.expected), alternative, tree.by));
    }
    case "not":
      return bool(!truthy(evaluate(tree.of, steps)));
    case "and":
    case "or":
      return shortCircuit(tree.of, steps, tree.op === "or");
    case "compare":
      return compareChain(tree.by, tree.of, steps);
    case "arithmetic": {
      const [left, right] = tree.of.map((item) => evaluate(item, steps));
      return arithmetic(tree.by, left!, right!);
    }
    case "function": {
      const named = Object.entries(tree.named).map(([name, item]) => [name, evaluate(item, steps)] as const);
      return callFunction(
        tree.name,
        tree.of.map((item) => evaluate(item, steps)),
        new Map(named),
      );
    }
  }
}

/** Where what a program printed differs from one accepted text; null where it does not. */
export function printedDifference(tree: Tree & { op: "printed" }, accepted: string, steps: ReadonlyMap<number, PyValue>) {
  const value = valueOfStep(tree.step, steps);
  return firstDifference(value.type === "str" ? textOf(value.literal) : "", accepted, tree.numbersByValue);
}

function valueOfStep(step: number, steps: ReadonlyMap<number, PyValue>): PyValue {
  const value = steps.get(step);
  if (!value) throw new Error(`the plan needs step ${step} before it has run`);
  return value;
}

const MAX_CONSTANTS = 20_000;
const constants = new Map<string, PyValue>();

/** An encoded value of the tests, which every answer is compared with: read once. */
export function constant(encoded: string): PyValue {
  let value = constants.get(encoded);
  if (value === undefined) {
    if (constants.size >= MAX_CONSTANTS) constants.clear();
    value = decodeValue(encoded);
    constants.set(encoded, value);
  }
  return value;
}

function bool(value: boolean): PyValue {
  return { type: "bool", value };
}

function float(value: number): PyValue {
  return { type: "float", value, text: String(value) };
}

function shortCircuit(items: readonly Tree[], steps: ReadonlyMap<number, PyValue>, stopAt: boolean): PyValue {
  let last: PyValue = bool(!stopAt);
  for (const item of items) {
    last = evaluate(item, steps);
    if (truthy(last) === stopAt) break;
  }
  return last;
}

function compareChain(signs: readonly string[], operands: readonly Tree[], steps: ReadonlyMap<number, PyValue>): PyValue {
  let left = evaluate(operands[0]!, steps);
  for (const [i, sign] of signs.entries()) {
    const right = evaluate(operands[i + 1]!, steps);
    if (!compare(sign, left, right)) return bool(false);
    left = right;
  }
  return bool(true);
}

function compare(sign: string, left: PyValue, right: PyValue): boolean {
  switch (sign) {
    case "==":
      return equals(left, right);
    case "!=":
      return !equals(left, right);
    case "is":
      return identical(left, right);
    case "is not":
      return !identical(left, right);
    case "in":
      return contains(right, left);
    case "not in":
      return !contains(right, left);
    case "<":
      return compareOrder(left, right, sign) < 0;
    case "<=":
      return compareOrder(left, right, sign) <= 0;
    case ">":
      return compareOrder(left, right, sign) > 0;
    case ">=":
      return compareOrder(left, right, sign) >= 0;
    default:
      throw new Error(`the plan has an unknown comparison ${sign}`);
  }
}

function asInt(value: PyValue): bigint | null {
  return value.type === "int" ? value.value : value.type === "bool" ? BigInt(value.value) : null;
}

function arithmetic(sign: string, left: PyValue, right: PyValue): PyValue {
  const [a, b] = [asInt(left), asInt(right)];
  if (a !== null && b !== null && sign !== "/") {
    return { type: "int", value: sign === "+" ? a + b : sign === "-" ? a - b : a * b };
  }
  if (left.type === "complex" || right.type === "complex") return complexArithmetic(sign, left, right);
  const [x, y] = [asFloat(left), asFloat(right)];
  if (x === null || y === null) throw unsupported(sign, left, right);
  if (sign === "/" && y === 0) throw new PyError("ZeroDivisionError", "division by zero");
  return float(sign === "+" ? x + y : sign === "-" ? x - y : sign === "*" ? x * y : x / y);
}

function complexArithmetic(sign: string, left: PyValue, right: PyValue): PyValue {
  const [a, b] = [asComplex(left), asComplex(right)];
  if (!a || !b || (sign !== "+" && sign !== "-")) throw unsupported(sign, left, right);
  const by = sign === "+" ? 1 : -1;
  return { type: "complex", real: a.real + by * b.real, imag: a.imag + by * b.imag };
}

function asComplex(value: PyValue): { real: number; imag: number } | null {
  if (value.type === "complex") return value;
  const real = asFloat(value);
  return real === null ? null : { real, imag: 0 };
}

function unsupported(sign: string, left: PyValue, right: PyValue): PyError {
  return new PyError("TypeError", `unsupported operand type(s) for ${sign}: '${typeName(left)}' and '${typeName(right)}'`);
}

function callFunction(name: string, values: readonly PyValue[], named: ReadonlyMap<string, PyValue>): PyValue {
  switch (name) {
    case "abs":
      return absolute(values[0]!);
    case "neg":
      return arithmetic("-", { type: "int", value: 0n }, values[0]!);
    case "round":
      return rounded(values[0]!, values[1] ?? named.get("ndigits"));
    case "evalplus": {
      const [got, expected, atol] = values;
      const loose = isFloats(expected!) ? FLOAT_ATOL : 0;
      return bool(evalPlusAccepts(got!, expected!, null, { oracle: "equal", atol: asFloat(atol!) || loose }));
    }
    case "isclose":
      return bool(isClose(values[0]!, values[1]!, named));
    default:
      throw new Error(`the plan has an unknown function ${name}`);
  }
}

function absolute(value: PyValue): PyValue {
  const int = asInt(value);
  if (int !== null) return { type: "int", value: int < 0n ? -int : int };
  if (value.type === "complex") return float(Math.hypot(value.real, value.imag));
  const number = asFloat(value);
  if (number === null) throw new PyError("TypeError", `bad operand type for abs(): '${typeName(value)}'`);
  return float(Math.abs(number));
}

function rounded(value: PyValue, digits: PyValue | undefined): PyValue {
  if (asInt(value) !== null && !digits) return value;
  const number = asFloat(value);
  const places = digits ? asFloat(digits) : 0;
  if (number === null || places === null) throw new PyError("TypeError", `type ${typeName(value)} doesn't define __round__ method`);
  const nearest = roundHalfEven(number, places);
  return digits ? float(nearest) : { type: "int", value: BigInt(nearest) };
}

function roundHalfEven(number: number, places: number): number {
  if (!Number.isFinite(number) || places > 15) return number;
  if (places > 0) return Number(number.toFixed(places)); // of the exact binary value; an exact tie goes up where Python goes to even
  const unit = 10 ** -places;
  const low = Math.floor(number / unit);
  const rest = number / unit - low;
  return (rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? low + 1 : low) * unit;
}

/** math.isclose: |a - b| <= max(rel_tol * max(|a|, |b|), abs_tol). */
function isClose(a: PyValue, b: PyValue, named: ReadonlyMap<string, PyValue>): boolean {
  const tolerance = (name: string, otherwise: number) => asFloat(named.get(name) ?? float(otherwise)) ?? otherwise;
  const [x, y] = [asFloat(a), asFloat(b)];
  if (x === null || y === null) throw new PyError("TypeError", `must be real number, not ${typeName(x === null ? a : b)}`);
  if (x === y) return true;
  if (!Number.isFinite(x) || !Number.isFinite(y)) return false;
  return Math.abs(x - y) <= Math.max(tolerance("rel_tol", 1e-9) * Math.max(Math.abs(x), Math.abs(y)), tolerance("abs_tol", 0));
}
