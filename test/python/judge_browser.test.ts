// The judge as it is, in one headless Chromium.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mutated, randomText } from "../../scripts/fuzz_programs.ts";
import { openBrowserJudge } from "../../src/cli/judge_browser.ts";
import type { Judge, JudgeRequest, Verdict } from "../../src/python/judge.ts";
import { streamOf, uniform } from "../../src/random.ts";

let judge: Judge;

beforeAll(async () => {
  judge = await openBrowserJudge();
}, 120_000);
afterAll(() => judge?.close());

const request = (program: string, more: Partial<JudgeRequest> = {}): JudgeRequest => ({
  taskId: "Test/1",
  program,
  entryPoint: "f",
  tests: ["assert f(2) == 3", "assert f(10) == 11"],
  timeoutMs: 2000,
  ...more,
});
const right = (tag: string) => request(`def f(x):\n    # ${tag}\n    return x + 1\n`);

async function judgeOne(program: string, more: Partial<JudgeRequest> = {}): Promise<Verdict> {
  const [verdict] = await judge.judge([request(program, more)]);
  if (!verdict) throw new Error("no verdict");
  return verdict;
}

describe("one answer", () => {
  test("right", async () => {
    expect(await judgeOne("def f(x):\n    return x + 1\n")).toMatchObject({
      verdict: "pass",
      errorType: "",
      errorLabel: "",
      inside: false,
    });
  });
  test("wrong", async () => {
    const wrong = { verdict: "wrong_answer", errorType: "AssertionError", errorLabel: "WrongResult", test: 1, expected: "11", got: "3" };
    expect(await judgeOne("def f(x):\n    return 3\n")).toMatchObject(wrong);
  });
  test("raises", async () => {
    const verdict = await judgeOne("import sys\ndef f(x):\n    print('seen', file=sys.stderr)\n    return [][x]\n");
    expect(verdict).toMatchObject({
      verdict: "runtime_error",
      errorType: "IndexError",
      line: 4,
      message: "list index out of range",
      test: 0,
    });
    expect(verdict.stderrTail).toBe(
      'seen\nTraceback (most recent call last):\n  File "answer.py", line 4, in f\n    return [][x]\nIndexError: list index out of range\n',
    );
  });
  test.each([
    ["syntax", "def f(x)\n    return x", { verdict: "syntax_error", errorType: "SyntaxError", line: 1 }],
    ["indentation", "def f(x):\nreturn x", { verdict: "syntax_error", errorType: "IndentationError", line: 2 }],
    ["an assert of its own", "def f(x):\n    assert x > 5, 'small'\n", { verdict: "runtime_error", errorLabel: "AssertionError", line: 2 }],
    ["recursion", "def f(x):\n    return f(x)\n", { verdict: "runtime_error", errorType: "RecursionError", line: 2 }],
    [
      "recursion in C",
      "def f(x):\n    a = []\n    for _ in range(200000):\n        a = [a]\n    return repr(a)\n",
      { verdict: "crash", errorType: "UnknownError" },
    ],
    ["input()", "def f(x):\n    return int(input())\n", { verdict: "runtime_error", errorType: "OSError", line: 2 }],
    ["sys.exit()", "import sys\nsys.exit(0)\n", { verdict: "exit", errorType: "SystemExit" }],
    ["os._exit()", "import os\ndef f(x):\n    os._exit(0)\n", { verdict: "exit", errorType: "SystemExit" }],
    ["os.abort()", "import os\ndef f(x):\n    os.abort()\n", { verdict: "crash", errorType: "UnknownError" }],
    ["no function", "def g(x):\n    return x\n", { verdict: "no_entry_point", errorType: "NameError" }],
    [
      "memory",
      "def f(x):\n    a = []\n    while True:\n        a.append(bytes(1 << 20))\n",
      { verdict: "memory_limit", errorType: "MemoryError" },
    ],
    [
      "10 MB of output",
      "def f(x):\n    print('x' * 10_000_000)\n    return x + 1\n",
      { verdict: "output_limit", errorType: "UnknownError" },
    ],
    [
      "an endless loop",
      "def f(x):\n    while True: pass\n",
      { verdict: "timeout", errorType: "TimeoutError", message: "not finished after 2000 ms" },
    ],
    [
      "an AlwaysEqual",
      "class A:\n    def __eq__(self, other): return True\ndef f(x):\n    return A()\n",
      { verdict: "wrong_answer", got: "<A>" },
    ],
  ])("%s", async (_, program, expected) => {
    expect(await judgeOne(program)).toMatchObject(expected);
  });
  test("memoised recursion as deep as a desktop Python allows", async () => {
    const program = "from functools import lru_cache\n@lru_cache(maxsize=None)\ndef f(n):\n    return n if n < 2 else f(n - 1) + 1\n";
    expect(await judgeOne(program, { tests: ["assert f(480) == 480"] })).toMatchObject({ verdict: "pass" });
  });
  test("a test that cannot be split fails an answer, and is marked", async () => {
    const tests = ["for x in [f(0), f(1)]:\n    assert f(x) == x + 1"];
    expect(await judgeOne("def f(x):\n    return x\n", { tests })).toMatchObject({
      verdict: "wrong_answer",
      errorLabel: "WrongResult",
      inside: true,
    });
    expect(await judgeOne("def f(x):\n    return x + 1\n", { tests })).toMatchObject({ verdict: "pass", inside: true });
  });
  test("asyncio.run", async () => {
    const program =
      "import asyncio\nasync def g(x):\n    await asyncio.sleep(0.01)\n    return x\nasync def h(x):\n    return sum(await asyncio.gather(g(x), g(1)))\ndef f(x):\n    return asyncio.run(h(x))\n";
    expect(await judgeOne(program)).toMatchObject({ verdict: "pass" });
  });
  test("setup runs before the tests", async () => {
    const more = { setup: "from math import gcd\nSIX = 6", tests: ["assert f(gcd(SIX, 4)) == gcd(3, SIX)"] };
    expect(await judgeOne("def f(x):\n    return x + 1\n", more)).toMatchObject({ verdict: "pass", inside: false });
  });
  test("tests that do not parse are not the answer's fault", async () => {
    expect(await judgeOne("def f(x):\n    return x\n", { tests: ["assert f(2) =="] })).toMatchObject({
      verdict: "infra_error",
      errorType: "",
    });
  });
  test("tests that assert nothing do not pass an answer", async () => {
    for (const tests of [[], ["x = 1"]]) {
      expect(await judgeOne("def f(x):\n    return x\n", { tests })).toMatchObject({
        verdict: "infra_error",
        message: "Test/1: its tests assert nothing",
      });
    }
  });
  test("random numbers are the same in every run", async () => {
    const program = "import random, os, uuid\ndef f(x):\n    return (random.random(), os.urandom(4), hash('a'))\n";
    const [first, second] = await judge.judge([request(program), request(`${program}# again\n`)]);
    expect(first?.got).toBe(second?.got);
  });
});

describe("many answers", () => {
  test("200 in batch: every verdict is there, in order, told once", async () => {
    const requests = Array.from({ length: 200 }, (_, i) => request(`def f(x):\n    return x + ${i % 3}\n# ${i}\n`));
    const told: number[] = [];
    const verdicts = await judge.judge(requests, { onVerdict: (index) => told.push(index) });
    expect(verdicts.map((verdict) => verdict.verdict)).toEqual(requests.map((_, i) => (i % 3 === 1 ? "pass" : "wrong_answer")));
    expect(told.sort((a, b) => a - b)).toEqual(requests.map((_, i) => i));
  });
  test("fresh gives what batch gives", async () => {
    const requests = [right("fresh"), request("def f(x):\n    return x\n# fresh")];
    const verdicts = await judge.judge(requests, { isolation: "fresh" });
    expect(verdicts.map((verdict) => verdict.verdict)).toEqual(["pass", "wrong_answer"]);
  });
  test("a part of the standard library that no snapshot holds is there, the library's file as large as it is", async () => {
    const program =
      "import colorsys, os, sys\n_zip = next(p for p in sys.path if p.endswith('.zip'))\ndef f(x):\n    return [colorsys.rgb_to_hsv(0, 0, x), os.stat(_zip).st_size == len(open(_zip, 'rb').read()) > 2_000_000]\n";
    const requests = [request(program, { tests: ["assert f(1) == [(2 / 3, 1.0, 1), True]"] })];
    for (const isolation of ["fresh", "batch"] as const)
      expect(await judge.judge(requests, { isolation })).toMatchObject([{ verdict: "pass", message: "" }]);
  });
  test("equal programs are judged once", async () => {
    const clock = "import time\ndef f(x):\n    return time.time()\n";
    const [first, second] = await judge.judge([request(clock), request(clock)]);
    expect(first).toEqual(second);
  });
  test("can be called off", async () => {
    const controller = new AbortController();
    const endless = request("def f(x):\n    while True: pass\n", { timeoutMs: 600_000 });
    const judged = judge.judge([endless], { signal: controller.signal });
    setTimeout(() => controller.abort(), 300);
    await expect(judged).rejects.toThrow();
    expect(await judgeOne("def f(x):\n    return x + 1\n# after")).toMatchObject({ verdict: "pass" });
  });
});

describe("programs that read standard input", () => {
  const cases = [
    { stdin: "2\n3 4\n", accepted: ["7\n"] },
    { stdin: "1\n5\n", accepted: ["five", "5"] },
  ];
  const suite = { kind: "programs", cases, numbersByValue: false } as const;
  const program = (source: string) => ({ ...request(source), entryPoint: "", tests: [], suite });
  test.each([
    ["input()", "n = int(input())\nprint(sum(map(int, input().split())))"],
    ["sys.stdin", "import sys\nlines = sys.stdin.readlines()\nprint(sum(map(int, lines[1].split())))"],
    [
      "sys.stdin.buffer and sys.stdout.write",
      "import sys\nd = sys.stdin.buffer.read().split()\nsys.stdout.write(str(sum(map(int, d[1:]))))",
    ],
    ["open(0)", "print(sum(map(int, open(0).read().split()[1:])))"],
    [
      "os.read and os.write",
      "import os\nd = os.read(0, max(os.fstat(0).st_size, 8192)).split()\nos.write(1, str(sum(map(int, d[1:]))).encode())",
    ],
    ["an iterator over the lines", "import sys\nit = iter(sys.stdin)\nnext(it)\nprint(*[sum(map(int, line.split())) for line in it])"],
    ["exit() at the end", "input()\nprint(sum(map(int, input().split())))\nexit()"],
    [
      "a main function behind the guard",
      "def main():\n    input()\n    print(sum(map(int, input().split())))\nif __name__ == '__main__':\n    main()",
    ],
    [
      "a thread for a larger stack",
      "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(2**27)\ndef main():\n    input()\n    print(sum(map(int, input().split())))\nt = threading.Thread(target=main)\nt.start()\nt.join()",
    ],
    [
      "output kept back to the end",
      "import atexit, io, sys\nb = io.StringIO()\natexit.register(lambda: sys.__stdout__.write(b.getvalue()) and sys.__stdout__.flush())\ninput()\nb.write(str(sum(map(int, input().split()))))",
    ],
  ])("%s", async (_, source) => {
    expect(await judge.judge([program(source)])).toMatchObject([{ verdict: "pass", message: "" }]);
  });
  test("a case is judged without what the one before it left", async () => {
    const source =
      "import builtins, sys\ninput()\nx = getattr(builtins, 'x', None)\nprint(sum(map(int, input().split())) if x is None else x)\nglobals()['y'] = 1";
    expect(await judge.judge([program(source)])).toMatchObject([{ verdict: "pass" }]);
    const [greedy] = await judge.judge([program("print(input(), input(), input())")]);
    expect(greedy).toMatchObject({ verdict: "runtime_error", errorType: "EOFError", line: 1, test: 0 });
  });
  test("what a function reads is still an error", async () => {
    expect(await judgeOne("def f(x):\n    return open(0).read()\n")).toMatchObject({ verdict: "runtime_error", errorType: "OSError" });
  });
});

test("a limit for each test: the slow one is named, the whole may take longer", async () => {
  const tests = ["assert f(0) == 0", "assert f(0.3) == 0.3", "assert f(0.31) == 0.31", "assert f(9) == 9"];
  const slow = "import time\ndef f(x):\n    time.sleep(x)\n    return x\n";
  const [verdict] = await judge.judge([{ ...request(slow, { tests }), timeoutMs: 400, testTimeoutMs: 500 }]);
  expect(verdict).toMatchObject({ verdict: "timeout", test: 3, message: "not finished after 500 ms" });
});

test("random and mutated programs get a verdict each", async () => {
  let drawn = 0;
  const draw = () => uniform(1, streamOf("test/fuzz"), drawn++);
  const program = "def f(x):\n    total = 0\n    for i in range(x):\n        total += i * 2 - i\n    return x + 1 if total >= 0 else [x]\n";
  const requests = Array.from({ length: 80 }, (_, i) => request(i % 2 ? mutated(program, draw) : randomText(draw), { timeoutMs: 300 }));
  const verdicts = await judge.judge(requests);
  expect(verdicts).toHaveLength(80);
  expect(verdicts.filter(({ verdict }) => verdict === "infra_error")).toEqual([]);
  expect(verdicts.some(({ verdict }) => verdict === "syntax_error")).toBe(true);
});

interface HostileCase {
  id: string;
  program: string;
  entryPoint: string;
  tests: string[];
  allowed: string[];
}
const readCases = (name: string) => JSON.parse(readFileSync(join(import.meta.dirname, name), "utf8"));
const cases: HostileCase[] = readCases("hostile_cases.json");
/** `npm run verify` judges all of them. */
const moreCases: { id: string; category: string; code: string; entry_point: string; test: string; expected_verdict: string }[] =
  readCases("more_hostile_cases.json");
for (const { id, category, code, entry_point, test, expected_verdict } of moreCases) {
  if (!["reward_hack", "harness", "control"].includes(category)) continue;
  cases.push({ id, program: code, entryPoint: entry_point, tests: [test], allowed: expected_verdict.split("|") });
}
const HONEST =
  "import bisect, json, math, random\ndef f(x):\n    return bisect.bisect([1, 2, 4], x) + json.loads('[0]')[0] + math.floor(sorted([1.5, 0.5])[1]) + sum([-1, 1]) * random.random()\n";

describe("hostile answers, each followed by an honest one", () => {
  let verdicts: Verdict[];
  beforeAll(async () => {
    const pairs = cases.flatMap((hostile) => [
      request(hostile.program, { taskId: hostile.id, entryPoint: hostile.entryPoint, tests: hostile.tests, timeoutMs: 1000 }),
      request(`${HONEST}# after ${hostile.id}`, { tests: ["assert f(2) == 3"], timeoutMs: 5000 }),
    ]);
    verdicts = await judge.judge(pairs);
  }, 240_000);
  test.each(cases.map((hostile, i) => ({ id: hostile.id, i })))("$id", ({ i }) => {
    expect(cases[i]!.allowed).toContain(verdicts[2 * i]!.verdict);
    expect(verdicts[2 * i + 1]).toMatchObject({ verdict: "pass" });
  });
});
