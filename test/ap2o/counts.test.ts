// Exceptions named by the answers, after what every object of JavaScript answers to.
import { expect, test } from "vitest";
import { evaluationResult, quizResult } from "../../src/ap2o/evaluate.ts";
import { countErrors, makeNotebook, orderFailed } from "../../src/ap2o/notebook.ts";
import { countEach, countOf, isCounts } from "../../src/counts.ts";
import type { Answer } from "../../src/records.ts";
import { errorLook } from "../../src/ui/error_types.ts";
import { applyEvent, emptyRun, orderTypes } from "../../src/ui/run_state.ts";

const HOSTILE = ["constructor", "__proto__", "toString", "hasOwnProperty", "valueOf"];

function answerOf(error_type: string, sample_index: number): Answer {
  const verdict = error_type === "" ? "pass" : "error";
  const said = { error_label: error_type, line: null, message: "", expected: null, got: null };
  const written = { solution: `pass # ${sample_index}`, completion: "pass", ended: "stop" as const };
  return { task_id: "a/1", phase: "exam", sample_index, split: "train", verdict, error_type, ...written, ...said };
}

/** One passed answer, then the i-th hostile name i + 1 times. */
const answers = ["", ...HOSTILE.flatMap((name, i) => Array<string>(i + 1).fill(name))].map(answerOf);
const most = [...HOSTILE].reverse();

/** What a file holds after it was written and read again. */
const kept = (value: unknown) => JSON.parse(JSON.stringify(value));

test("whatever an exception is called, it is counted, and the counts survive their file", () => {
  const counts = countErrors(answers);
  expect(Object.entries(kept(counts))).toEqual(most.map((name, i) => [name, HOSTILE.length - i]));
  expect(isCounts(kept(counts))).toBe(true);
  expect(countOf(countEach(["a"]), "constructor")).toBe(0);
  expect(Object.keys(quizResult(1, [answers], "paper", true).replay)).toEqual(most);
  expect(Object.keys(evaluationResult([answers]).errors)).toEqual(most);
});

test("the notebook orders them by how frequent they are, and the page draws the same counts", () => {
  const notebook = makeNotebook([answers], "paper", "corpus");
  expect(Object.keys(notebook.counts)).toEqual(most);
  const failed = orderFailed(notebook.problems[0]!.failed, notebook.counts, "high_to_low", "paper");
  expect([...new Set(failed.map(({ error_type }) => error_type))]).toEqual(most);
  const run = emptyRun();
  for (const answer of answers) applyEvent(run, { type: "answer", answer }, 0);
  expect(orderTypes(run.errorCounts.exam!, {})).toEqual(most);
  expect(HOSTILE.map((name) => errorLook(name).label)).toEqual(HOSTILE);
});
