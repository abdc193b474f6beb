// CodeFlow's chains and the pairs that they make, with a student whose repairs follow a script.
import { expect, test } from "vitest";
import { type Chain, errorText, passed, type RepairOptions, repair, repairIndex } from "../../src/ap2o/codeflow.ts";
import { dropReason, editDistance, iterPref, pairsOfChains, sameProgramRequest } from "../../src/ap2o/iterpref.ts";
import { sit } from "../../src/ap2o/sit.ts";
import type { Ask } from "../../src/ap2o/student.ts";
import type { Answer, RunEvent } from "../../src/records.ts";
import { FakeJudge, FakeStudent, fakeClock, fakeProblems } from "./fakes.ts";

const options: RepairOptions = {
  ...{ rounds: 3, examN: 8, style: "raw", temperature: 1, maxNewTokens: 20, timeoutMs: 500, seed: 1 },
  renderChat: () => "",
};
const problems = fakeProblems(3).filter(({ split }) => split === "train");

function failedAnswer(problem: number, sample_index: number, completion = "    TypeError # 1"): Answer {
  const { taskId, prompt, split } = problems[problem]!;
  return {
    ...{ task_id: taskId, phase: "exam", sample_index, split, solution: prompt + completion, completion, ended: "end_token" },
    ...{ verdict: "runtime_error", error_type: "TypeError", error_label: "TypeError", line: 2, message: "no", expected: null, got: null },
  };
}

/** Writes, for each question, what the script says for the round in which it is asked. */
class Repairer extends FakeStudent {
  readonly prompts: string[] = [];
  readonly script: string[][];
  #round = 0;

  constructor(script: string[][]) {
    super();
    this.script = script;
  }

  override async *write(questions: readonly Ask[]) {
    const words = this.script[this.#round++]!;
    for (const [index, { prompt }] of [...questions.entries()].reverse()) {
      this.prompts.push(prompt);
      yield { index, text: `    ${words[index]} # ${this.#round}`, ended: "end_token" as const, flops: 1, promptFlops: 0 };
    }
  }
}

async function pull(student: Repairer, failures = [failedAnswer(0, 2), failedAnswer(1, 5)]) {
  const given = failures.map((failed) => ({ problem: problems.find(({ taskId }) => taskId === failed.task_id)!, failed }));
  const repairing = repair(given, options, (_, sitting) => sit(student, new FakeJudge(), sitting, fakeClock()));
  const events: RunEvent[] = [];
  for (;;) {
    const { done, value } = await repairing.next();
    if (done) return { chains: value, answers: events.flatMap((event) => (event.type === "answer" ? [event.answer] : [])), events };
    events.push(value);
  }
}

test("each round repairs what still fails, with the last version and its error in the prompt; every step is kept", async () => {
  const student = new Repairer([["NameError", "pass"], ["AssertionError"], ["pass"]]);
  const { chains, answers } = await pull(student);
  expect(chains.map(passed)).toEqual([true, true]);
  expect(chains.map(({ steps }) => steps.map(({ error_type }) => error_type))).toEqual([["NameError", "AssertionError", ""], [""]]);
  expect(answers.map(({ phase, sample_index }) => [phase, sample_index])).toEqual([
    ["repair", repairIndex(2, 1, options)],
    ["repair", repairIndex(5, 1, options)],
    ["repair", repairIndex(2, 2, options)],
    ["repair", repairIndex(2, 3, options)],
  ]);
  expect(new Set(answers.map(({ task_id, sample_index }) => `${task_id} ${sample_index}`)).size).toBe(4);
  expect(student.prompts.at(-1)).toContain("AssertionError # 2\n# AssertionError\n\ndef train0():\n");
  expect(chains[0]!.steps.every(({ solution, completion }) => solution === problems[0]!.prompt + completion)).toBe(true);
});

test("a chain ends after the last round, passed or not", async () => {
  const { chains, answers } = await pull(
    new Repairer([
      ["NameError", "TypeError"],
      ["NameError", "TypeError"],
      ["TypeError", "pass"],
    ]),
  );
  expect(chains.map(passed)).toEqual([false, true]);
  expect(answers).toHaveLength(6);
});

test("what Python said, in one line: the exception and its message, or what was expected", () => {
  const answer = failedAnswer(0, 0);
  expect(errorText({ ...answer, message: "'int' object\n is not iterable" })).toBe("TypeError: 'int' object is not iterable");
  expect(errorText({ ...answer, message: "TypeError: no" })).toBe("TypeError: no");
  expect(errorText({ ...answer, message: "" })).toBe("TypeError");
  const wrong = { ...answer, verdict: "wrong_answer", error_type: "AssertionError", expected: "3", got: "4" };
  expect(errorText(wrong)).toBe("AssertionError: expected 3, got 4");
  expect(errorText({ ...answer, message: "x".repeat(1000) }).length).toBe(200);
});

async function someChains(): Promise<Chain[]> {
  const failures = [0, 1, 2, 3, 4, 5].map((i) => failedAnswer(0, i, `    TypeError # ${i}`));
  const rounds = [Array(6).fill("NameError"), Array(6).fill("AssertionError"), ["pass", "pass", "pass", "pass", "pass", "TypeError"]];
  return (await pull(new Repairer(rounds), failures)).chains;
}

test("a chain's pair: the version that passed against a random earlier one; never passed: discarded, or the nearest passed answer", async () => {
  const chains = await someChains();
  const settings = { seed: 1, rule: "paper" as const };
  const pairs = pairsOfChains(chains, null, settings);
  expect(pairs).toHaveLength(5);
  expect(pairs.every(({ chosen, rejected, versions }) => chosen.verdict === "pass" && rejected.verdict !== "pass" && versions === 3)).toBe(
    true,
  );
  expect(new Set(pairs.map(({ error_type }) => error_type)).size).toBeGreaterThan(1);
  const near = { ...failedAnswer(0, 6, "    pass # 5"), verdict: "pass", error_type: "" };
  const far = { ...near, sample_index: 7, completion: "    return everything # 5" };
  const withFallback = pairsOfChains(chains, new Map([[near.task_id, [far, near]]]), settings);
  expect(withFallback.slice(0, 5)).toEqual(pairs);
  expect(withFallback[5]).toMatchObject({ origin: "fallback", chosen: near, rejected: chains[5]!.failed, versions: 1 });
});

test("the curriculum draws each pair once an epoch, shuffled, and keeps no state", async () => {
  const pairs = pairsOfChains(await someChains(), null, { seed: 1, rule: "paper" });
  const notebook = [{ task_id: problems[0]!.taskId, counts: {}, passed: [], failed: [] }];
  const curriculum = iterPref(notebook, pairs, 3);
  expect(curriculum.pairsPerEpoch).toBe(5);
  const draws = Array.from({ length: 10 }, (_, i) => curriculum.pairAt(i, { batchStart: 0, quizErrors: null }));
  expect(
    draws
      .slice(0, 5)
      .map(({ chosen }) => chosen)
      .sort(),
  ).toEqual(pairs.map(({ chosen }) => chosen.sample_index).sort());
  expect(draws.slice(5).map(({ chosen }) => chosen)).toEqual(draws.slice(0, 5).map(({ chosen }) => chosen));
  expect(draws[7]).toMatchObject({ epoch: 7 / 5, probability: 1 / 3, origin: "codeflow", problem: 0 });
});

test("the paper's filters", () => {
  const of = (chosen: string, rejected: string, tokens = 10) =>
    dropReason({ chosen: failedAnswer(0, 0, chosen), rejected: failedAnswer(0, 1, rejected) }, tokens);
  expect(of("a\nb", "a\n# note\nb")).toBe("only comments differ");
  expect(of("a\nb", "a\nc")).toBeNull();
  expect(of("a\nb", "a")).toBeNull(); // nothing of the rejected one differs: its end token counts
  const lines = (n: number) => Array.from({ length: n }, (_, i) => `x${i} = ${i}`).join("\n");
  expect(of("a", lines(20))).toBeNull();
  expect(of("a", lines(21))).toBe("more than 20 lines differ");
  expect(of("a", "b", 2049)).toBe("more than 2048 tokens");
});

test("equal syntax trees are asked of Python, whatever is in the programs", () => {
  const { program, tests, entryPoint } = sameProgramRequest('x = "a"\n', "x = 'a'  # \\ \u2028\n");
  expect(program).toContain('ast.parse("x = \\"a\\"\\n")) == ast.dump(ast.parse("x = \'a\'');
  expect([tests, entryPoint]).toEqual([["assert same() == True"], "same"]);
});

test("edit distance, and its early end", () => {
  expect([editDistance("kitten", "sitting"), editDistance("", "abc"), editDistance("abc", "abc")]).toEqual([3, 3, 0]);
  expect(editDistance("kitten", "sitting", 2)).toBe(2);
  expect(editDistance("a".repeat(50), "b".repeat(10), 5)).toBe(5);
});
