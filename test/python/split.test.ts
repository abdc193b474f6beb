// The splitter and the encoder run in Pyodide under Node here: they are our own code, no answer is judged.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadPyodide, type PyodideAPI } from "pyodide";
import { beforeAll, describe, expect, test } from "vitest";
import { truthy } from "../../src/python/compare.ts";
import { evaluate, type Plan, readPlan } from "../../src/python/plan.ts";
import { reprOf } from "../../src/python/repr.ts";
import { decodeValue } from "../../src/python/value.ts";

const sandbox = join(import.meta.dirname, "..", "..", "src", "python", "sandbox");
let pyodide: PyodideAPI;

beforeAll(async () => {
  pyodide = await loadPyodide();
  for (const name of ["encode", "split"]) {
    const source = readFileSync(join(sandbox, `${name}.py`), "utf8");
    pyodide.globals.set("source", source);
    pyodide.runPython(`import sys, types
sys.modules["errata_${name}"] = types.ModuleType("errata_${name}")
exec(compile(source, "${name}.py", "exec"), sys.modules["errata_${name}"].__dict__)`);
  }
});

function plan(tests: string[], setup = "", entryPoint = "f"): Plan {
  return readPlan(pyodide.pyimport("errata_split").plan(entryPoint, setup, JSON.stringify(tests)));
}

/** "value f(2)" per step. */
const steps = (of: Plan) => of.steps.map((step) => `${step.kind} ${step.source}`);

/** The expected values that a plan keeps outside. */
function constants(of: Plan): string[] {
  const texts = [...JSON.stringify(of.checks).matchAll(/"op":"constant","value":("(?:[^"\\]|\\.)*")/g)].map((match): string =>
    JSON.parse(match[1]!),
  );
  return texts.map((text) => reprOf(decodeValue(text)));
}

describe("asserts that are split", () => {
  test.each([
    ["assert f(2) == 3", "value f(2)", "3"],
    ["assert 3 == f(2)", "value f(2)", "3"],
    ["assert f([1], key='a') != None", "value f([1], key='a')", "None"],
    ["assert f(2) is None", "value f(2)", "None"],
    ["assert f(2) is not True", "value f(2)", "True"],
    ["assert abs(f(1.5) - 0.33) < 1e-6", "value f(1.5)", "0.33 1e-06"],
    ["assert set(f([1])) == {1, 2}", "value set(f([1]))", "{1, 2}"],
    ["assert sorted(f([1]), key=len) == ['a']", "value sorted(f([1]), key=len)", "['a']"],
    ["assert list(map(str, f(2))) == ['1']", "value list(map(str, f(2)))", "['1']"],
    ["assert f(2)[0] in (1, 2)", "value f(2)[0]", "(1, 2)"],
    ["assert f('a').lower() == 'a'", "value f('a').lower()", "'a'"],
    ["assert isinstance(f(2), int)", "value isinstance(f(2), int)", ""],
    ["assert type(f(2)) == list", "value type(f(2))", "<class 'list'>"],
    ["assert 1 < f(2) <= 5", "value f(2)", "1 5"],
    ["assert f(2) == 2 ** 70 + len('ab')", "value f(2)", "1180591620717411303426"],
    ["assert round(f(2), 2) == 1.25, 'message'", "value round(f(2), 2)", "1.25"],
    ["assert f(Pair(1, 2)) == 3", "value f(Pair(1, 2))", "3"],
    ["assert Solution().f(2) == 3", "value Solution().f(2)", "3"],
    ["assert f(f(2)) == 4", "value f(f(2))", "4"],
  ])("%s", (source, step, expected) => {
    const result = plan([source]);
    expect(steps(result)).toEqual([step]);
    expect(constants(result).join(" ")).toBe(expected);
    expect(result.checks).toHaveLength(1);
  });

  test("truth", () => {
    const result = plan(["assert f(2)", "assert not f(3)"]);
    expect(steps(result)).toEqual(["value f(2)", "value f(3)"]);
    expect(result.checks.map((check) => check.tree.op)).toEqual(["step", "not"]);
  });
  test("an entry point with a builtin's name is the answer's", () => {
    expect(steps(plan(["assert sum(10, 15) == 6"], "", "sum"))).toEqual(["value sum(10, 15)"]);
  });
  test("math.isclose with its module in the test or in the setup", () => {
    const inTest = plan(["import math\nassert math.isclose(f(1), math.pi, rel_tol=1e-3)"]);
    expect(steps(inTest)).toEqual(["run import math", "value f(1)"]);
    expect(constants(inTest)).toEqual(["3.141592653589793", "0.001"]);
    expect(steps(plan(["assert math.isclose(f(1), 2)"], "import math"))).toEqual(["value f(1)"]);
  });
  test("assignments before the assert", () => {
    const result = plan(["x = 3\nr = f(x)\nassert r == x + 1\nassert r[0] == 2"]);
    expect(steps(result)).toEqual(["run x = 3", "run r = f(x)", "value r", "value r[0]"]);
    expect(constants(result)).toEqual(["4", "2"]);
  });
  test("objects of the answer's classes", () => {
    const result = plan(["s = Stack()\ns.push(3)\nassert s.pop() == 3"], "", "Stack");
    expect(steps(result)).toEqual(["run s = Stack()", "run s.push(3)", "value s.pop()"]);
  });
  test("check(candidate), called or not", () => {
    const check = "METADATA = {'a': 1}\n\ndef check(candidate):\n    assert candidate(2) == 3, 'no'\n    assert True\n";
    const split = ["run candidate = f", "value candidate(2)"];
    expect(steps(plan([check]))).toEqual(split);
    expect(steps(plan([`${check}\ncheck(f)`]))).toEqual(split);
  });
  test("a unittest case method by method", () => {
    const result = plan([
      "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(f(2), 3)\n        self.assertFalse(f(0))\n",
    ]);
    expect(steps(result)).toEqual(["run import unittest", "value f(2)", "value f(0)"]);
  });
  test("each check knows its test and the steps it needs", () => {
    const result = plan(["assert f(1) == 1", "assert f(2) == f(3)"]);
    expect(result.checks.map(({ test: of, after, text }) => ({ of, after, text }))).toEqual([
      { of: 0, after: 1, text: "f(1) == 1" },
      { of: 1, after: 3, text: "f(2) == f(3)" },
    ]);
  });
});

describe("what runs inside", () => {
  test.each([
    ["a loop over what the answer gives", "for x in f(3):\n    assert f(x) == x"],
    ["another library's comparison", "import textwrap as np\nassert np.allclose(f(2), 3)"],
    ["an unknown comparison that gets the result and the expected value", "assert close(f(2), 3)"],
    ["a helper of the tests", "def helper(v):\n    return v\nassert helper(f(2)) == 3"],
    ["an input drawn inside the call", "import random\nassert f(random.random()) == 1"],
    ["a condition on all that the answer gives", "assert all(v > 0 for v in f(3))"],
    [
      "a test case that expects an error",
      "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        with self.assertRaises(ValueError): f(1)",
    ],
  ])("%s", (_, source) => {
    const result = plan([source]);
    expect(result.steps.at(-1)?.kind).toBe("inside");
    expect(result.checks).toHaveLength(0);
  });
  test("only the statement that needs it", () => {
    const result = plan([
      "def check(candidate):\n    assert candidate(1) == 2\n    while True:\n        assert candidate(1) == 2\n        break\n",
    ]);
    expect(result.steps.map((step) => step.kind)).toEqual(["run", "value", "inside"]);
  });
});

test("a test or a setup that does not parse is said by its number", () => {
  expect(() => plan(["assert f(2) == 3", "assert f(2) =="])).toThrow("test 2 does not parse");
  expect(() => plan([], "import")).toThrow("setup of the tests does not parse");
});

describe("the encoder", () => {
  const encoded = (expression: string): string => {
    pyodide.globals.set("expression", expression);
    const prelude = "from collections import *; from fractions import Fraction; from decimal import Decimal; from enum import IntEnum";
    return pyodide.runPython(
      `import errata_encode\nspace = {}\nexec(${JSON.stringify(prelude)}, space)\nerrata_encode.encode(eval(expression, space))`,
    );
  };
  test.each([
    ["[1, True, None, 2.5, (1,), 'é']", "[1, True, None, 2.5, (1,), 'é']"],
    ["-2 ** 65", "-36893488147419103232"],
    ["{'a': {1}, 2: frozenset()}", "{'a': {1}, 2: frozenset()}"],
    ["(b'a\\x00', bytearray(b'b'), 1e300, -0.0, 2j)", "(b'a\\x00', bytearray(b'b'), 1e+300, -0.0, (0+2j))"],
    ["[range(3), Fraction(1, 3), Decimal('1.10'), int]", "[range(0, 3), Fraction(1, 3), Decimal('1.10'), <class 'int'>]"],
    ["Counter('aab')", "{'a': 2, 'b': 1}"],
    ["defaultdict(list, {1: [2]})", "{1: [2]}"],
    ["namedtuple('P', 'x y')(1, 2)", "(1, 2)"],
    ["IntEnum('E', 'A B').B", "2"],
    ["deque([1, 2])", "deque([1, 2])"],
    ["chr(0xd800)", "'\\ud800'"],
    ["(i for i in [])", "<generator>"],
    ["{}.keys()", "<dict_keys>"],
    ["type('Yes', (), {'__eq__': lambda a, b: True, '__hash__': None})()", "<Yes>"],
    ["type('L', (list,), {'__eq__': lambda a, b: True})([1])", "<L>"],
    ["type('L', (list,), {'__iter__': lambda a: iter([1, 2])})([5])", "[5]"],
    ["type('I', (int,), {'__format__': lambda a, b: '3', '__repr__': lambda a: '3'})(7)", "7"],
    ["list(range(200000))", "<list of too many items>"],
    ["'x' * 2000000", "<str of too many characters>"],
  ])("%s", (expression, shown) => {
    expect(reprOf(decodeValue(encoded(expression)))).toBe(shown);
  });
  test("nesting and cycles end", () => {
    expect(encoded("(lambda a: [a.append(a), a][1])([])")).toContain("nested too deep");
  });
  test("an object's truth goes along", () => {
    expect(encoded("{}.keys()")).toBe("O0'dict_keys'");
    expect(encoded("{1: 2}.keys()")).toBe("O1'dict_keys'");
  });
});

describe("loops and branches over what the tests know", () => {
  test.each([
    ["a range", "for x in range(2, 4):\n    assert f(x, x + 1) == str(x)", ["value f(2, 2 + 1)", "value f(3, 3 + 1)"], ["'2'", "'3'"]],
    ["a list of pairs", "for a, b in [(1, 2), (3, 4)]:\n    assert f(a) == b", ["value f(1)", "value f(3)"], ["2", "4"]],
    ["zip and enumerate", "for i, (a, b) in enumerate(zip([1], [2])):\n    assert f(a) == b + i", ["value f(1)"], ["2"]],
    ["a branch", "for a in [1, 2]:\n    if a > 1:\n        assert f(a) == a", ["value f(2)"], ["2"]],
    [
      "values worked out on the way",
      "for n in [2]:\n    xs = []\n    for i in range(n):\n        xs.append(i)\n    assert f(xs) == n",
      ["value f([0, 1])"],
      ["2"],
    ],
    ["what the answer gave before", "for s in ['a']:\n    t = g(s)\n    assert f(t) == s", ["run t = g('a')", "value f(t)"], ["'a'"]],
  ])("%s", (_, source, sources, expected) => {
    expect([steps(plan([source])), constants(plan([source]))]).toEqual([sources, expected]);
  });
  test("random inputs are drawn outside, and go inside as they came out", () => {
    const drawn = plan(["import random\nfor _ in range(3):\n    x = random.randint(0, 9)\n    assert f(x) == x"]);
    const inputs = steps(drawn).flatMap((step) => /^value f\((\d)\)$/.exec(step)?.[1] ?? []);
    expect(inputs).toHaveLength(3);
    expect(constants(drawn)).toEqual(inputs);
    const expected = plan(["import random\nx = random.random()\nassert f(2) == x"]);
    expect(steps(expected).at(-1)).toBe("value f(2)");
  });
  test.each([
    ["over what the answer gives", "for x in f(3):\n    assert x > 0"],
    ["without an end", "while True:\n    assert f(1) == 1\n    break"],
    ["too long", "for x in range(10 ** 9):\n    assert f(x) == x"],
  ])("a loop %s runs inside", (_, source) => {
    expect(steps(plan([source]))).toEqual([`inside ${source.replace(/f\(.\)/, "errata_honest($&)")}`]);
  });
  test.each([
    ["while i < 2", "i = 0\nwhile i < 2:\n    assert f(i) == i + 1\n    i += 1", ["value f(i)", "value f(1)"], ["1", "2"]],
    ["all(...)", "assert all(f(x) == y for x, y in [(1, 2), (3, 4)] if x > 1)", ["value f(3)"], ["4"]],
    ["all([...])", "assert all([f(x)[0] == x for x in (5, 6)])", ["value f(5)[0]", "value f(6)[0]"], ["5", "6"]],
  ])("%s is unrolled", (_, source, called, expected) => {
    const unrolled = plan([source]);
    expect(steps(unrolled).filter((step) => !step.startsWith("run"))).toEqual(called);
    expect(constants(unrolled)).toEqual(expected);
  });
  test("a list that the answer was given is a value of the answer's: it may have changed it", () => {
    const given = plan(["x = [3, 1]\nassert f(x) == sorted(x)\nassert x == [3, 1]"]);
    expect(steps(given)).toEqual(["run x = [3, 1]", "value f(x)", "value sorted(x)", "value x"]);
    expect(given.checks.map(({ text }) => text)).toEqual(["f(x) == sorted(x)", "x == [3, 1]"]);
  });
  test("a test case's fixtures run before and after each of its tests", () => {
    const body =
      "    def setUp(self):\n        self.x = f(0)\n    def test_b(self):\n        self.assertEqual(f(self.x), 2)\n    def test_a(self):\n        self.assertTrue(self.x)";
    const fixtures = plan([`import unittest\nclass T(unittest.TestCase):\n    "Tests."\n${body}\n    def tearDown(self):\n        f(9)`]);
    const each = ["run self_x = f(0)", "value self_x", "run f(9)", "run self_x = f(0)", "value f(self_x)", "run f(9)"];
    expect(steps(fixtures)).toEqual(["run import unittest", ...each]);
    expect(constants(fixtures)).toEqual(["2"]);
  });
  test("tests that need a module that is not there cannot be run", () => {
    expect(() => plan(["import numpy as np\nassert f(1) == 1"])).toThrow("the tests import numpy, which this Python has not");
  });
});

describe("expected values do not go inside", () => {
  test.each([
    ["in a variable", "expected = [3, 4]\nassert f(2) == expected", ["value f(2)"]],
    ["in a dict of cases", "cases = {1: 2}\nfor x, y in cases.items():\n    assert f(x) == y", ["value f(1)"]],
    ["in a function of the tests that is not called", "def wanted():\n    return 3\nassert f(2) == 3", ["value f(2)"]],
    ["an input does, when it is needed", "x = [3, 1]\nassert f(x) == [1, 3]", ["run x = [3, 1]", "value f(x)"]],
    [
      "as it was when it was made",
      "x = [1]\ny = x + [2]\nassert f(x) == 1\nassert f(y) == 2",
      ["run x = [1]", "value f(x)", "run y = [1, 2]", "value f(y)"],
    ],
  ])("%s", (_, source, sources) => {
    expect(steps(plan([source]))).toEqual(sources);
  });
  test("EvalPlus's datasets: inputs, results and assertion(out, exp, atol) need no numpy", () => {
    const source = `import numpy as np

def is_floats(x) -> bool:
    return isinstance(x, float)

def assertion(out, exp, atol):
    assert np.allclose(out, exp, atol=atol)

def check(candidate):
    inputs = [[2, 1], [[3]]]
    results = [1.5, [3]]
    for i, (inp, exp) in enumerate(zip(inputs, results)):
        assertion(candidate(*inp), exp, 0)
check(f)`;
    const split = plan([source]);
    expect(steps(split)).toEqual(["run candidate = f", "value candidate(*[2, 1])", "value candidate(*[[3]])"]);
    const gave = (a: string, b: string) => {
      const values = new Map([
        [1, decodeValue(a)],
        [2, decodeValue(b)],
      ]);
      return split.checks.map(({ tree }) => truthy(evaluate(tree, values)));
    };
    expect(gave("f1.5000001;", "[i3;]")).toEqual([true, true]);
    expect(gave("f1.51;", "(i3;)")).toEqual([false, false]);
  });
});
