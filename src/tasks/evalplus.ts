// EvalPlus's problems, HumanEval+ and MBPP+: inputs and a reference solution in place of asserts. The rules are those of EvalPlus
// 0.3.1 (evalplus/eval/__init__.py, _special_oracle.py, data/mbpp.py).
import * as v from "valibot";
import type { EvalPlusOracle, Problem } from "./problem.ts";
import { asTuple, fieldOf, itemsOf, type Literal, literalSource, parseLiteral } from "./python_literal.ts";
import { mbppSplit } from "./split.ts";

export const EvalPlusRow = v.object({
  task_id: v.union([v.number(), v.string()]),
  prompt: v.string(),
  entry_point: v.pipe(v.string(), v.regex(/^[A-Za-z_]\w*$/, "must be the name of a Python function")),
  canonical_solution: v.string(),
  base_input: v.array(v.unknown()),
  plus_input: v.optional(v.array(v.unknown()), []),
  atol: v.optional(v.number(), 0),
  contract: v.optional(v.string(), ""),
});

const SET_EQUAL = "similar_elements find_char_long common_in_nested_lists extract_singly larg_nnum intersection_array find_dissimilar Diff";
const ORACLES: Readonly<Record<string, EvalPlusOracle>> = {
  ...Object.fromEntries(SET_EQUAL.split(" ").map((name) => [`Mbpp ${name}`, "set" as const])),
  ...Object.fromEntries("check_str text_match_three text_starta_endb".split(" ").map((name) => [`Mbpp ${name}`, "not_none" as const])),
  "Mbpp are_equivalent": "anything",
  "Mbpp sum_div": "or_zero",
  "Mbpp surface_Area": "alternative",
  "Mbpp digit_distance_nums": "alternative",
  "HumanEval find_zero": "root",
};

const ALTERNATIVES: Readonly<Record<string, string>> = {
  surface_Area: `def errata_alternative(base_edge, height):
    slant_height = ((base_edge / 2) ** 2 + height ** 2) ** 0.5
    return round(base_edge ** 2 + 4 * (base_edge * slant_height) / 2)
`,
  digit_distance_nums: `def errata_alternative(num1, num2):
    width = max(len(str(num1)), len(str(num2)))
    return sum(abs(int(a) - int(b)) for a, b in zip(str(num1).zfill(width), str(num2).zfill(width)))
`,
};

/**
 * Reads a row of an EvalPlus file.
 * @param text the row's own JSON text: its numbers must be read exactly
 * @throws Error one sentence when the inputs are not lists of arguments
 */
export function readEvalPlus(row: v.InferOutput<typeof EvalPlusRow>, text: string): Problem {
  const [, name, number] = /^(?:(HumanEval|Mbpp)\/)?(\d+)$/i.exec(String(row.task_id)) ?? [];
  if (number === undefined) throw new Error(`task_id: expected HumanEval/NUMBER or Mbpp/NUMBER, found ${row.task_id}`);
  const family = (name ?? "Mbpp").toLowerCase() === "mbpp" ? "Mbpp" : "HumanEval";
  const whole = parseLiteral(text);
  const inputs = (field: string) =>
    itemsOf(fieldOf(whole, field)).map((item) => argumentsOf(item, family === "Mbpp" ? Number(number) : null));
  const { prompt, entry_point: entryPoint, canonical_solution: solution } = row;
  return {
    taskId: `${family}/${number}`,
    prompt,
    entryPoint,
    tests: [],
    solution: prompt + solution,
    split: family === "Mbpp" ? mbppSplit(Number(number)) : "evaluation",
    suite: {
      kind: "evalplus",
      reference: prompt + solution,
      rules: contractFunction(row) + (ALTERNATIVES[entryPoint] ?? ""),
      base: inputs("base_input"),
      plus: inputs("plus_input"),
      atol: row.atol,
      oracle: ORACLES[`${family} ${entryPoint}`] ?? "equal",
    },
  };
}

/** The contract's asserts as a function of the same parameters; "" where there is none. */
function contractFunction({ contract, entry_point, prompt, canonical_solution }: v.InferOutput<typeof EvalPlusRow>): string {
  if (contract.trim() === "") return "";
  const pattern = new RegExp(`^def ${entry_point}\\s*\\(([^]*?)\\)\\s*(?:->[^\\n]*?)?:[ \\t]*(?:#[^\\n]*)?$`, "m");
  const parameters = pattern.exec(`${prompt}\n${canonical_solution}`)?.[1];
  return parameters === undefined ? "" : `def errata_contract(${parameters}):\n${contract.trimEnd().replace(/^\n+/, "")}\n`;
}

/** One test's arguments as source. MBPP's inputs went through JSON, which has no tuples, sets and complex numbers. */
function argumentsOf(input: Literal, mbpp: number | null): string {
  if (input.kind !== "list") throw new Error("base_input and plus_input: expected a list of arguments for each test");
  const args = mbpp === null ? input.items : mbppArguments(mbpp, input.items);
  return args.map(literalSource).join(", ");
}

type Mend = (args: readonly Literal[]) => readonly Literal[];

const within = (value: Literal, mend: (item: Literal) => Literal): Literal =>
  value.kind === "list" || value.kind === "tuple" ? { kind: value.kind, items: value.items.map(mend) } : value;
const first =
  (mend: (value: Literal) => Literal): Mend =>
  ([head, ...rest]) =>
    head ? [mend(head), ...rest] : rest;
const tuplesIn = (value: Literal) => within(value, asTuple);
const deepTuple = (value: Literal): Literal => asTuple(within(value, deepTuple));
const called = (name: string, value: Literal): Literal => ({ kind: "atom", source: `${name}(${literalSource(value)})` });
const asSet = (value: Literal): Literal => {
  if (value.kind !== "list") return { kind: "dict", entries: [] };
  return value.items.length ? { kind: "set", items: value.items } : { kind: "dict", entries: [] };
};
const valuesAsTuples = (value: Literal): Literal =>
  value.kind === "dict" ? { kind: "dict", entries: value.entries.map(([key, item]) => [key, asTuple(item)]) } : value;

/** evalplus/data/mbpp.py, mbpp_deserialize_inputs: how the inputs of which problems were before JSON. */
const MENDS: readonly (readonly [ids: string, Mend])[] = [
  ["2 116 132 143 222 261 273 394 399 421 424 429 470 560 579 596 616 630 726 740 744 809", (args) => args.map(asTuple)],
  ["63 64 70 94 120 237 272 299 400 409 417 438 473 614 780", (args) => args.map(tuplesIn)],
  ["75 413 444 753", first(tuplesIn)],
  ["106 750", ([a, b]) => (a && b ? [a, asTuple(b)] : [])],
  ["115", first((value) => within(value, asSet))],
  ["124", ([a, b]) => (a && b ? [called("float", a), called("complex", b)] : [])],
  ["250 405 446 617 720 763 808 307", first(asTuple)],
  ["259 401 445", (args) => args.map(tuplesIn).map(asTuple)],
  ["278", (args) => args.map(tuplesIn).map(asTuple)],
  ["722", first(valuesAsTuples)],
  ["252", first((value) => called("complex", value))],
  ["580 615 791", (args) => args.map(deepTuple)],
];
const MEND_OF = new Map(MENDS.flatMap(([ids, mend]) => ids.split(" ").map((id) => [Number(id), mend] as const)));

function mbppArguments(id: number, args: readonly Literal[]): readonly Literal[] {
  const mend = MEND_OF.get(id);
  return mend ? mend(args) : args;
}
