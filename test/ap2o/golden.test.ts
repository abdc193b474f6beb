// The method's windows, orders, replay and filter against the vectors made by an independent implementation.
import { expect, test } from "vitest";
import { orderFailed, type Rule, sortAnswers } from "../../src/ap2o/notebook.ts";
import { rejectedProbabilities, replayDraws } from "../../src/ap2o/replay.ts";
import { mirrored, windowAt } from "../../src/ap2o/window.ts";
import { passAtK } from "../../src/tasks/pass_at_k.ts";
import { readJson } from "../golden/golden.ts";

interface Failed {
  id: number;
  error_type: string;
}
type Counts = Record<string, number>;
interface Chain {
  window: number[];
  replay_draws: number;
  rejected_probability: Counts;
}
interface Ap2oGolden {
  order: { failed: Failed[]; counts: Counts; l2h: number[]; h2l: number[]; grouped_by_type: { l2h: number[]; h2l: number[] } }[];
  windows: { failed: number; epochs: number; epoch: number; start: number; end: number; mirrored: [number, number] }[];
  windows_float_sensitive: { failed: number; epochs: number; epoch: number; start: number; end: number; mirrored: [number, number] }[];
  replay: {
    failed: Failed[];
    epochs: number;
    epoch: number;
    quiz_errors: Counts;
    l2h: { window: number[]; paper: { draws: number; type_probability: Counts }; reference: { draws: Counts } };
    rules: Record<Rule, { l2h: Chain; h2l: Chain }>;
  }[];
  filter: {
    rule: Rule;
    answers: { text: string; error_type: string }[];
    counts: Counts;
    kept: number[];
    passed: number[];
    failed: number[];
    in_training: boolean;
  }[];
}

const golden = readJson<Ap2oGolden>("ap2o.json");
const ids = (failed: readonly Failed[]) => failed.map(({ id }) => id);

test("every order: by type (paper) and stable (reference), both directions", () => {
  expect(golden.order.length).toBeGreaterThan(50);
  for (const { failed, counts, l2h, h2l, grouped_by_type } of golden.order) {
    expect(ids(orderFailed(failed, counts, "low_to_high", "paper"))).toEqual(grouped_by_type.l2h);
    expect(ids(orderFailed(failed, counts, "high_to_low", "paper"))).toEqual(grouped_by_type.h2l);
    expect(ids(orderFailed(failed, counts, "low_to_high", "reference"))).toEqual(l2h);
    expect(ids(orderFailed(failed, counts, "high_to_low", "reference"))).toEqual(h2l);
  }
});

test("every window, also where the order of floating-point operations matters", () => {
  expect(golden.windows.length + golden.windows_float_sensitive.length).toBeGreaterThan(160);
  for (const { failed, epochs, epoch, start, end, mirrored: expected } of [...golden.windows, ...golden.windows_float_sensitive]) {
    const window = windowAt(failed, epochs, epoch);
    expect([failed, epochs, epoch, ...window]).toEqual([failed, epochs, epoch, start, end]);
    expect(mirrored(window, failed)).toEqual(expected);
  }
});

test.each(["paper", "reference"] as const)("the whole chain of order, window and replay by rule %s", (rule) => {
  for (const { failed, epochs, epoch, quiz_errors, rules } of golden.replay) {
    const counts: Counts = {};
    for (const { error_type } of failed) counts[error_type] = (counts[error_type] ?? 0) + 1;
    for (const direction of ["l2h", "h2l"] as const) {
      const descending = direction === "h2l" && rule === "paper";
      const ordered = orderFailed(failed, counts, descending ? "high_to_low" : "low_to_high", rule);
      const lowToHigh = windowAt(failed.length, epochs, epoch);
      const [from, to] = direction === "h2l" && rule === "reference" ? mirrored(lowToHigh, failed.length) : lowToHigh;
      const expected = rules[rule][direction];
      expect(ids(ordered.slice(from, to)).sort((a, b) => a - b)).toEqual([...expected.window].sort((a, b) => a - b));

      const types = ordered.map(({ error_type }) => error_type);
      const draws = replayDraws(rule, types, to - from, quiz_errors);
      expect([...draws.values()].reduce((a, b) => a + b, 0)).toBeCloseTo(expected.replay_draws, 12);
      const probabilities = rejectedProbabilities(types, [from, to], draws);
      ordered.forEach(({ id }, i) => {
        expect(probabilities[i]).toBeCloseTo(expected.rejected_probability[id] ?? 0, 12);
      });
    }
  }
});

test("replay draws per type of the reference on the stable window", () => {
  for (const { failed, quiz_errors, l2h } of golden.replay) {
    const types = failed.map(({ error_type }) => error_type);
    expect(Object.fromEntries(replayDraws("reference", types, l2h.window.length, quiz_errors))).toEqual(l2h.reference.draws);
    const paper = replayDraws("paper", types, l2h.window.length, quiz_errors);
    for (const [type, p] of Object.entries(l2h.paper.type_probability)) {
      expect((paper.get(type) ?? 0) / l2h.window.length).toBeCloseTo(p, 12);
    }
  }
});

test("every filter: counts before equal texts are dropped, first of each text kept, enough of both", () => {
  expect(golden.filter.length).toBe(60);
  for (const { rule, answers, ...expected } of golden.filter) {
    const graded = answers.map(({ text, error_type }, i) => ({
      solution: text,
      error_type,
      verdict: error_type === "" ? "pass" : "runtime_error",
      ended: "stop" as const,
      sample_index: i,
    }));
    const { counts, kept, passed, failed, dropped } = sortAnswers(graded, rule);
    expect({ counts, kept, passed, failed, in_training: dropped === null }).toEqual(expected);
  }
});

test("every pass@k", () => {
  const cases = readJson<{ n: number; c: number; k: number; pass_at_k: number }[]>("pass_at_k.json");
  expect(cases.length).toBe(60);
  for (const { n, c, k, pass_at_k } of cases) expect(passAtK(n, c, k)).toBeCloseTo(pass_at_k, 12);
});
