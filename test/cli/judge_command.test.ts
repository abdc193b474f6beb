// errata judge from files to files, in the one headless Chromium that each call starts.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { main } from "../../src/cli/main.ts";

const golden = join(import.meta.dirname, "..", "golden", "data", "problems");
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "errata-judge-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string) => join(folder, name);
const lines = (rows: readonly unknown[]) => `${rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row))).join("\n")}\n`;

interface Line {
  task_id: string | null;
  verdict: string;
  error_type: string;
  line: number | null;
  message: string;
  expected: string | null;
  got: string | null;
  stderr_tail: string;
  inside: boolean;
  seconds: number;
  test: number | null;
  base_verdict?: string;
  plus_verdict?: string;
}

async function judge(problems: string, samples: string, ...flags: string[]) {
  let [stdout, stderr] = ["", ""];
  const streams = {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: Object.assign(Object.create(process.stderr), { isTTY: false, write: (text: string) => (stderr += text) }),
  };
  const status = await main(["judge", "--problems", problems, "--samples", samples, "--out", file("out.jsonl"), ...flags], streams);
  const verdicts: Line[] = readFileSync(file("out.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  return { status, stderr, summary: JSON.parse(stdout), verdicts };
}

describe("EvalPlus problems", () => {
  const solution = {
    "HumanEval/2": "def truncate_number(number):\n    return number % 1.0\n",
    "HumanEval/32":
      "def find_zero(xs):\n    f = lambda x: sum(c * x ** i for i, c in enumerate(xs))\n    a, b = -1.0, 1.0\n    while f(a) * f(b) > 0:\n        a, b = a * 2, b * 2\n    for _ in range(200):\n        m = (a + b) / 2\n        if f(m) * f(a) > 0:\n            a = m\n        else:\n            b = m\n    return a\n",
    "Mbpp/2": "def similar_elements(a, b):\n    return [x for x in reversed(b) if x in a]\n",
    "Mbpp/581": "def surface_Area(b, h):\n    return 2 * b * h + b * b\n",
  };
  test("samples gzipped: base and plus verdicts, oracles, tolerance, what was expected", async () => {
    const samples = [
      ...Object.entries(solution).map(([task_id, program]) => ({ task_id, solution: program })),
      { task_id: "HumanEval/2", completion: "    return number - int(number) + 1e-7\n" },
      { task_id: "HumanEval/2", solution: "def truncate_number(number):\n    return number - int(number) if number > 1.4 else 7\n" },
      {
        task_id: "Mbpp/2",
        solution:
          "def similar_elements(a, b):\n    return (4, 5) if 3 in a and a[0] == 3 else (3, 4) if a[:2] == (1, 2) and 5 in b else (13, 14)\n",
      },
    ];
    writeFileSync(file("samples.jsonl.gz"), gzipSync(new TextEncoder().encode(lines(samples))));
    const { status, summary, verdicts } = await judge(join(golden, "evalplus.jsonl"), file("samples.jsonl.gz"));
    const told = verdicts.map(({ task_id, verdict, base_verdict, plus_verdict }) => [task_id, verdict, base_verdict, plus_verdict]);
    const pass = (id: string) => [id, "pass", "pass", "pass"];
    expect(told).toEqual([
      ...Object.keys(solution).map(pass),
      pass("HumanEval/2"),
      ["HumanEval/2", "wrong_answer", "wrong_answer", "wrong_answer"],
      ["Mbpp/2", "wrong_answer", "pass", "wrong_answer"],
    ]);
    expect(verdicts[5]).toMatchObject({ error_type: "AssertionError", got: "7", expected: "0.33000000000000007 ± 0.000001", test: 1 });
    expect(status).toBe(0);
    expect(summary).toMatchObject({ samples: 7, base_verdicts: { pass: 6 }, plus_verdicts: { pass: 5 } });
  }, 60_000);
});

test("real answers of a model have the base verdicts that EvalPlus recorded", async () => {
  const answers = join(golden, "evalplus_answers.jsonl");
  const recorded: { base_status: string }[] = readFileSync(answers, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const { verdicts } = await judge(join(golden, "evalplus.jsonl"), answers);
  expect(verdicts.map(({ base_verdict }) => base_verdict === "pass")).toEqual(recorded.map(({ base_status }) => base_status === "pass"));
}, 60_000);

describe("contest problems", () => {
  test("TACO: programs on standard input, functions and methods", async () => {
    const expected: { passes: string[]; fails: string[] }[] = JSON.parse(readFileSync(join(golden, "expected.json"), "utf8")).taco;
    const samples = expected.flatMap(({ passes, fails }, i) => [...passes, ...fails].map((solution) => ({ task_id: i, solution })));
    const endless = { task_id: "TACO/0", solution: "while True: pass" };
    const others = [
      "import sys\nopen(0).read()\nsys.exit(1)",
      "raise ValueError('no')",
      "n = input()\nprint(undefined)",
      "import sys\ndata = sys.stdin.buffer.read().split()\nxs = list(map(int, data[1:]))\nsys.stdout.write(f'{sum(xs)}  \\n{max(xs)}\\n\\n')\nexit()",
    ].map((solution) => ({ task_id: "TACO/0", solution }));
    writeFileSync(file("taco.jsonl"), lines([...samples, endless, ...others]));
    const { verdicts } = await judge(join(golden, "taco.jsonl"), file("taco.jsonl"), "--timeout-ms", "600");
    const wanted = expected.flatMap(({ passes, fails }) => [...passes.map(() => "pass"), ...fails.map(() => "wrong_answer")]);
    expect(verdicts.map(({ verdict }) => verdict)).toEqual([
      ...wanted,
      "timeout",
      "wrong_answer",
      "runtime_error",
      "runtime_error",
      "pass",
    ]);
    expect(verdicts[2]?.message).toBe('test 1, line 1 of the output: "6 3", expected "6"');
    expect(verdicts.at(-2)).toMatchObject({ error_type: "NameError", line: 2 });
    expect(verdicts.find(({ verdict }) => verdict === "timeout")?.message).toBe("not finished after 600 ms");
  }, 60_000);
  test("LiveCodeBench: public and private tests; the hostile row is refused and nothing of it runs", async () => {
    const samples = [
      {
        task_id: "9001",
        solution:
          "class Solution:\n    def longestRun(self, s: str) -> int:\n        return max((len(list(g)) for _, g in groupby(s)), default=0)\n",
      },
      { task_id: "9001", solution: "class Solution:\n    def longestRun(self, s: List[str]) -> int:\n        return 3\n" },
      { task_id: "LiveCodeBench/abc901_b", solution: "input()\nprint(float(sum(x for x in map(int, input().split()) if x % 2 == 0)))" },
      { task_id: "abc901_b", solution: "print(0)" },
      { task_id: "hostile", solution: "" },
    ];
    const rows = ["livecodebench.jsonl", "livecodebench_hostile.jsonl"].map((name) => readFileSync(join(golden, name), "utf8").trim());
    writeFileSync(file("lcb.jsonl"), lines(rows));
    writeFileSync(file("lcb_samples.jsonl"), lines(samples));
    const { verdicts, summary, stderr } = await judge(file("lcb.jsonl"), file("lcb_samples.jsonl"));
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(["pass", "wrong_answer", "pass", "wrong_answer", "infra_error"]);
    expect(summary).toMatchObject({ problems_refused: 1, samples_refused: 1 });
    expect(stderr).toContain("lcb.jsonl, problem 3: private_test_cases: the pickle holds more than a string");
  }, 60_000);
});

test("bad input: one sentence each, the rest goes on, the summary counts it", async () => {
  const good = { task_id: "Own/1", prompt: "def f(x):\n", entry_point: "f", tests: ["assert f(1) == 2"] };
  writeFileSync(
    file("problems.jsonl"),
    lines([good, "{broken", { ...good, task_id: "Own/2", tests: [] }, { ...good, task_id: "Own/3", tests: ["assert f(1) =="] }]),
  );
  const samples = [
    { task_id: "Own/1", completion: "    return x + 1\n" },
    "not json",
    { task_id: "Nowhere/9", solution: "x = 1" },
    { task_id: "Own/1" },
    { task_id: "Own/2", solution: "def f(x): return 2" },
    { task_id: "Own/3", solution: "def f(x): return 2" },
    { task_id: "Own/1", solution: "def f(x):\n    return '\0'" },
    { task_id: "Own/1", solution: "def f(x):\n    return '\ud800'" },
    { task_id: "Own/1", solution: `def f(x):\n    return x + 1\n#${"y".repeat(10_000_000)}` },
    { task_id: "Own/1", solution: "```python\ndef f(x):\n    return x + 1\n```" },
    { task_id: 1, completion: "    return [x][x]\n" },
  ];
  writeFileSync(file("bad_samples.jsonl"), lines(samples));
  const { status, verdicts, summary, stderr } = await judge(file("problems.jsonl"), file("bad_samples.jsonl"));
  expect(status).toBe(0);
  expect(verdicts.map(({ verdict }) => verdict)).toEqual([
    ...["pass", "infra_error", "infra_error", "infra_error", "infra_error", "infra_error"],
    ...["syntax_error", "syntax_error", "pass", "syntax_error", "runtime_error"],
  ]);
  expect(verdicts.slice(1, 6).map(({ error_type }) => error_type)).toEqual(["", "", "", "", ""]);
  expect(verdicts.at(-1)).toMatchObject({ error_type: "IndexError", line: 2, expected: "2" });
  expect(verdicts.at(-1)?.stderr_tail).toContain("    return [x][x]\nIndexError: list index out of range");
  expect(summary).toMatchObject({ samples: 11, problems_refused: 2, samples_refused: 4 });
  for (const sentence of [
    "line 2 is not JSON",
    "problem 3: tests: must hold at least one test",
    "the problem file has no problem with the task_id Nowhere/9",
    "sample 4: it has neither solution nor completion",
    "Own/3: test 1 does not parse",
  ]) {
    expect(stderr).toContain(sentence);
  }
  const extracted = await judge(file("problems.jsonl"), file("bad_samples.jsonl"), "--extract");
  expect(extracted.verdicts[9]?.verdict).toBe("pass");
}, 90_000);
