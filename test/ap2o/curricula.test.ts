// The curricula one by one, on a small notebook: what they draw, and that they keep no state.
import { expect, test } from "vitest";
import type { Moment } from "../../src/ap2o/curriculum.ts";
import { curriculumOf, epochsOf, METHODS, quizSteps, totalSteps } from "../../src/ap2o/methods.ts";
import { orderFailed } from "../../src/ap2o/notebook.ts";
import { allPairs } from "../../src/ap2o/static_pairs.ts";
import type { Notebook } from "../../src/records.ts";

const COUNTS: Record<string, number>[] = [
  { AssertionError: 4, TypeError: 2, NameError: 1 },
  { SyntaxError: 3, AssertionError: 3 },
  { KeyError: 5, AssertionError: 1 },
];

function problemOf(counts: Record<string, number>, index: number): Notebook["problems"][number] {
  const types = Object.entries(counts).flatMap(([type, count]) => Array<string>(count).fill(type));
  const failed = types.map((error_type, i) => ({ sample_index: 10 + i, error_type }));
  return { task_id: `Fake/${index}`, counts, passed: [0, 1, 2], failed: orderFailed(failed, counts, "low_to_high", "paper") };
}

const notebook: Notebook = {
  rule: "paper",
  scope: "problem",
  counts: { AssertionError: 8, KeyError: 5, SyntaxError: 3, TypeError: 2, NameError: 1 },
  problems: COUNTS.map(problemOf),
  dropped: [],
};
const EPOCHS = 7;
const options = { seed: 3, rule: "paper", totalPairs: EPOCHS * 3, pairs_per_epoch: 1, epochs: 1 } as const;
const quizErrors = { AssertionError: 3, KeyError: 1 };
const momentOf = (index: number): Moment => ({ batchStart: index - (index % 8), quizErrors });
/** All but IterPref, which makes pairs of its own. */
const CURRICULA = METHODS.filter((method) => method !== "iterpref");
const draws = (method: (typeof CURRICULA)[number], n: number, rule: "paper" | "reference" = "paper") => {
  const curriculum = curriculumOf(method, notebook, { ...options, rule });
  return Array.from({ length: n }, (_, i) => curriculum.pairAt(i, momentOf(i)));
};

test.each(CURRICULA)("%s: a pair depends on its number alone, not on those drawn before", (method) => {
  const curriculum = curriculumOf(method, notebook, options);
  const all = draws(method, 30);
  for (const index of [29, 3, 17, 0]) expect(curriculum.pairAt(index, momentOf(index))).toEqual(all[index]);
});

test.each(["ap2o-h2l", "ap2o-l2h", "dyn-dpo", "sft"] as const)("%s: each problem once per epoch, in an order of its own", (method) => {
  const all = draws(method, 21);
  const orders = Array.from({ length: EPOCHS }, (_, epoch) => all.slice(3 * epoch, 3 * epoch + 3).map(({ problem }) => problem));
  for (const order of orders) expect([...order].sort()).toEqual([0, 1, 2]);
  expect(new Set(orders.map(String)).size).toBeGreaterThan(1);
});

test("the window goes from the rarest to the most frequent error (L2H), or back (H2L), over the whole list", () => {
  const types = (method: "ap2o-l2h-noreplay" | "ap2o-h2l-noreplay") =>
    draws(method, 21)
      .filter(({ problem }) => problem === 0)
      .map(({ error_type }) => error_type);
  expect(types("ap2o-l2h-noreplay")).toEqual(["NameError", "TypeError", "TypeError", ...Array(4).fill("AssertionError")]);
  expect(types("ap2o-h2l-noreplay")).toEqual([...Array(4).fill("AssertionError"), "TypeError", "TypeError", "NameError"]);
});

test("reference H2L: the low-to-high window mirrored over the ascending list, its epoch read once per batch", () => {
  const low = draws("ap2o-l2h-noreplay", 21, "reference");
  const high = draws("ap2o-h2l-noreplay", 21, "reference");
  high.forEach(({ problem, window: [from, to], epoch }, i) => {
    const n = notebook.problems[problem]!.failed.length;
    expect([n - to, n - from]).toEqual([...low[i]!.window]);
    expect(epoch).toBe(momentOf(i).batchStart / 3);
  });
});

test("replay draws only types of the problem that the quiz found", () => {
  const replayed = draws("ap2o-l2h", 300).filter(({ source }) => source === "replay");
  expect(replayed.length).toBeGreaterThan(50);
  for (const { problem, error_type } of replayed)
    expect(problem === 2 ? ["AssertionError", "KeyError"] : ["AssertionError"]).toContain(error_type);
});

test("DPO and Curri-DPO: every passed with every failed answer once per epoch; Curri-DPO rare errors first, over all problems", () => {
  const pairs = 3 * (7 + 6 + 6);
  for (const method of ["dpo", "curri-dpo"] as const) {
    const keys = draws(method, pairs).map(({ problem, chosen, rejected }) => `${problem} ${chosen} ${rejected}`);
    expect(new Set(keys).size).toBe(pairs);
  }
  const frequencies = draws("curri-dpo", pairs).map(({ error_type }) => notebook.counts[error_type]!);
  expect(frequencies).toEqual([...frequencies].sort((a, b) => a - b));
  const shuffledOnce = draws("dpo", pairs).map(({ error_type }) => notebook.counts[error_type]!);
  expect(shuffledOnce).not.toEqual(frequencies);
});

test("Curri-DPO by the code's rule: its trainer shuffles what was ordered inside each chosen answer, anew in every epoch", () => {
  const pairs = 3 * (7 + 6 + 6);
  const keys = draws("curri-dpo", 2 * pairs, "reference").map(({ problem, chosen, rejected }) => `${problem} ${chosen} ${rejected}`);
  const [first, second] = [keys.slice(0, pairs), keys.slice(pairs)];
  expect([new Set(first).size, new Set(second).size]).toEqual([pairs, pairs]);
  expect(second).not.toEqual(first);
  const ordered = allPairs(notebook.problems);
  expect(first).not.toEqual(
    ordered.map(({ problem, chosen, failed }) => `${problem} ${chosen} ${notebook.problems[problem]!.failed[failed]}`),
  );
  for (const [problem, { counts, passed, failed }] of notebook.problems.entries()) {
    for (const chosen of passed) {
      const inside = ordered.filter((pair) => pair.problem === problem && pair.chosen === chosen);
      const frequencies = inside.map((pair) => counts[failed[pair.failed]!.error_type]!);
      expect(frequencies).toEqual([...frequencies].sort((a, b) => a - b));
    }
  }
});

test("corpus scope: H2L follows the counts over all problems", () => {
  const corpus: Notebook = { ...notebook, scope: "corpus" };
  const curriculum = curriculumOf("ap2o-h2l-noreplay", corpus, options);
  const first = Array.from({ length: 3 }, (_, i) => curriculum.pairAt(i, momentOf(i)));
  expect(first.find(({ problem }) => problem === 2)!.error_type).toBe("AssertionError"); // rarest of its own, most frequent of all
});

test("the code's lengths: epochs of one pair per problem, with a quiz each; DPO once over all pairs, with a quiz every 100 steps", () => {
  const length = { steps: 0, epochs: 200, batch_size: 2, quiz_steps: 0, pairs_per_epoch: 1 } as const;
  expect(totalSteps({ ...length, method: "ap2o-h2l" }, notebook)).toBe(300);
  expect(totalSteps({ ...length, method: "dpo" }, notebook)).toBe(29); // 3 x (7 + 6 + 6) pairs
  expect(totalSteps({ ...length, method: "dpo", steps: 7 }, notebook)).toBe(7);
  expect(quizSteps({ ...length, method: "sft" }, 3)).toBe(2);
  expect(quizSteps({ ...length, method: "curri-dpo" }, 57)).toBe(100);
  expect(quizSteps({ ...length, method: "curri-dpo", quiz_steps: 5 }, 57)).toBe(5);
});

test("epochs: one pair per problem in each, rounded up so that the window reaches the end", () => {
  expect([epochsOf(21, 3), epochsOf(22, 3), epochsOf(2, 3)]).toEqual([7, 8, 1]);
});
