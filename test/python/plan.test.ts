import { describe, expect, test } from "vitest";
import { evaluate, readPlan, type Tree } from "../../src/python/plan.ts";
import { reprOf } from "../../src/python/repr.ts";
import { decodeValue } from "../../src/python/value.ts";

const constant = (value: string): Tree => ({ op: "constant", value });
const result = (tree: Tree, ...steps: string[]) => reprOf(evaluate(tree, new Map(steps.map((text, i) => [i, decodeValue(text)]))));
const step = (i: number): Tree => ({ op: "step", step: i });
const minus = (a: Tree, b: Tree): Tree => ({ op: "arithmetic", by: "-", of: [a, b] });
const call = (name: string, of: Tree[], named: Record<string, Tree> = {}): Tree => ({ op: "function", name, of, named });

describe("evaluating a check", () => {
  const near: Tree = { op: "compare", by: ["<"], of: [call("abs", [minus(step(0), constant("f0.33;"))]), constant("f1e-06;")] };
  test("abs(f(x) - y) < eps", () => {
    expect(result(near, "f0.3300000001;")).toBe("True");
    expect(result(near, "f0.34;")).toBe("False");
    expect(result(near, "fnan;")).toBe("False");
    expect(() => result(near, "N")).toThrow("unsupported operand type(s) for -: 'NoneType' and 'float'");
  });
  test("integers stay exact", () => {
    expect(result(minus(step(0), constant("i1;")), "i56bc75e2d63100000;")).toBe("99999999999999999999");
    expect(result(call("abs", [step(0)]), "i-5;")).toBe("5");
    expect(result(call("neg", [step(0)]), "i5;")).toBe("-5");
  });
  test("division", () => {
    expect(result({ op: "arithmetic", by: "/", of: [step(0), constant("i2;")] }, "i1;")).toBe("0.5");
    expect(() => result({ op: "arithmetic", by: "/", of: [step(0), constant("i0;")] }, "i1;")).toThrow("division by zero");
  });
  test("math.isclose", () => {
    expect(result(call("isclose", [step(0), constant("f1.0;")]), "f1.0000000001;")).toBe("True");
    expect(result(call("isclose", [step(0), constant("f1.0;")]), "f1.001;")).toBe("False");
    expect(result(call("isclose", [step(0), constant("f1.0;")], { rel_tol: constant("f0.01;") }), "f1.001;")).toBe("True");
    expect(result(call("isclose", [step(0), constant("f0.0;")], { abs_tol: constant("f0.01;") }), "f0.001;")).toBe("True");
    expect(result(call("isclose", [step(0), constant("finf;")]), "finf;")).toBe("True");
    expect(() => result(call("isclose", [step(0), constant("f0.0;")]), "s'0'")).toThrow("must be real number, not str");
  });
  test("round", () => {
    expect(result(call("round", [step(0), constant("i2;")]), "f2.345;")).toBe("2.35");
    expect(result(call("round", [step(0)]), "f2.5;")).toBe("2");
    expect(result(call("round", [step(0)]), "f3.5;")).toBe("4");
  });
  test("chains, and, or, not stop where Python stops", () => {
    const between: Tree = { op: "compare", by: ["<", "<="], of: [constant("i1;"), step(0), constant("i5;")] };
    expect([result(between, "i1;"), result(between, "i5;"), result(between, "i6;")]).toEqual(["False", "True", "False"]);
    const either: Tree = {
      op: "or",
      of: [
        { op: "compare", by: ["is"], of: [step(0), constant("N")] },
        { op: "compare", by: [">"], of: [step(0), constant("i3;")] },
      ],
    };
    expect([result(either, "N"), result(either, "i4;"), result(either, "i2;")]).toEqual(["True", "True", "False"]);
    expect(result({ op: "not", of: step(0) }, "[]")).toBe("True");
  });
  test("is", () => {
    const is = (value: string): Tree => ({ op: "compare", by: ["is"], of: [step(0), constant(value)] });
    expect([result(is("T"), "T"), result(is("T"), "i1;"), result(is("N"), "N"), result(is("F"), "i0;")]).toEqual([
      "True",
      "False",
      "True",
      "False",
    ]);
  });
});

test("a plan of another shape is refused, split.py's own sentence is passed on", () => {
  expect(() => readPlan('{"error": "test 2 does not parse"}')).toThrow("test 2 does not parse");
  expect(() => readPlan('{"steps": [{"kind": "value"}], "checks": []}')).toThrow();
});
