// Problems and answers for the fake engine: small Python texts with the mistakes that beginners make.
import type { Answer } from "../../src/records.ts";

export type Draft = Pick<
  Answer,
  "solution" | "completion" | "verdict" | "error_type" | "error_label" | "line" | "message" | "expected" | "got"
>;

interface Family {
  words: string;
  name: string;
  condition: string;
  start: string;
  add: string;
  body: string;
}

const CONDITIONS = [
  ["even", "x % 2 == 0"],
  ["odd", "x % 2 == 1"],
  ["greater than 4", "x > 4"],
  ["below 10", "x < 10"],
  ["divisible by 3", "x % 3 == 0"],
] as const;
const REDUCTIONS = [
  ["sum", "total", "total = 0", "total += x"],
  ["number", "count", "count = 0", "count += 1"],
  ["product", "total", "total = 1", "total *= x"],
  ["list", "result", "result = []", "result.append(x)"],
] as const;

function families(): Family[] {
  return REDUCTIONS.flatMap(([word, name, start, add]) =>
    CONDITIONS.map(([words, condition]) => ({
      words: `Return the ${word} of the numbers in xs that are ${words}.`,
      name,
      condition,
      start,
      add,
      body: `${word}_${words.replace(/\W+/g, "_")}`,
    })),
  );
}

export interface FakeProblem {
  taskId: string;
  split: string;
  right: Draft[];
  wrong: Draft[];
}

function draft(header: string, lines: string[], error: Partial<Draft> = {}): Draft {
  const completion = `${lines.map((line) => `    ${line}`).join("\n")}\n`;
  const passed = !error.error_type;
  return {
    solution: `${header}\n${completion}`,
    completion,
    verdict: passed ? "pass" : "runtime_error",
    error_type: "",
    error_label: "",
    line: null,
    message: "",
    expected: null,
    got: null,
    ...error,
  };
}

function failed(type: string, line: number, message: string, more: Partial<Draft> = {}): Partial<Draft> {
  return { error_type: type, error_label: type === "AssertionError" ? "WrongResult" : type, line, message, ...more };
}

function problemOf(family: Family, index: number): FakeProblem {
  const { name, condition, start, add } = family;
  const header = `# ${family.words}\ndef ${family.body}(xs):`;
  const loop = [start, "for x in xs:", `    if ${condition}:`, `        ${add}`, `return ${name}`];
  const replaced = (at: number, text: string) => loop.map((line, place) => (place === at ? text : line));
  const compare = { verdict: "wrong_answer", expected: "12", got: "7" };
  return {
    taskId: `Demo/${index}`,
    split: index % 4 === 3 ? "validation" : "train",
    right: [
      draft(header, loop),
      draft(header, [
        start,
        "for value in xs:",
        `    if ${condition.replace("x", "value")}:`,
        `        ${add.replace("x", "value")}`,
        `return ${name}`,
      ]),
      draft(header, [`kept = [x for x in xs if ${condition}]`, start, "for x in kept:", `    ${add}`, `return ${name}`]),
    ],
    wrong: [
      draft(header, [...loop.slice(0, 4), `    return ${name}`], failed("AssertionError", 3, "assert f([1, 2, 3, 9]) == 12", compare)),
      draft(header, replaced(2, `    if not ${condition}:`), failed("AssertionError", 3, "assert f([4, 8]) == 12", compare)),
      draft(header, replaced(3, `        ${name} = x`), failed("AssertionError", 6, "assert f([4, 8]) == 12", { ...compare, got: "8" })),
      draft(header, replaced(1, "for x in xs"), failed("SyntaxError", 4, "expected ':'", { verdict: "syntax_error" })),
      draft(
        header,
        replaced(2, `    if ${condition.replace("==", "=")}`),
        failed("SyntaxError", 5, "invalid syntax", { verdict: "syntax_error" }),
      ),
      draft(header, replaced(4, "return totl"), failed("NameError", 7, "name 'totl' is not defined. Did you mean: 'total'?")),
      draft(
        header,
        loop.slice(1),
        failed("UnboundLocalError", 5, `cannot access local variable '${name}' where it is not associated with a value`),
      ),
      draft(
        header,
        replaced(3, `    ${add}`),
        failed("IndentationError", 6, "expected an indented block after 'if' statement on line 5", { verdict: "syntax_error" }),
      ),
      draft(
        header,
        replaced(1, "for x in range(len(xs) + 1):").map((line) => line.replace("if x", "if xs[x]")),
        failed("IndexError", 5, "list index out of range"),
      ),
      draft(header, replaced(3, `        ${name}.push(x)`), failed("AttributeError", 6, `'list' object has no attribute 'push'`)),
      draft(
        header,
        replaced(3, `        ${name} += str(x)`),
        failed("TypeError", 6, "unsupported operand type(s) for +=: 'int' and 'str'"),
      ),
      draft(header, replaced(4, `return ${name} / 0`), failed("ZeroDivisionError", 7, "division by zero")),
      draft(header, replaced(1, "while True:"), failed("TimeoutError", 4, "still running after 1 s", { verdict: "timeout" })),
    ],
  };
}

/** Twenty problems, each with a few right answers and a dozen wrong ones, the common mistakes first. */
export function fakeProblems(): FakeProblem[] {
  return families().map(problemOf);
}
