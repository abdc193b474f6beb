// The answers of a run's quizzes, from its files to the page.
import { expect, test } from "vitest";
import { readArchive } from "../../src/ui/recorded/run_archive.ts";
import { timelineOf } from "../../src/ui/recorded/timeline.ts";
import { applyEvent, emptyRun } from "../../src/ui/run_state.ts";
import { fakeRunFiles } from "../ap2o/fake_run.ts";

test("every quiz has its own answers, each with its own verdict, and all are told when the run is played", async () => {
  const texts = await fakeRunFiles("ap2o-h2l", { quiz_n: 3 });
  const bytes = Object.entries(texts).map(([file, text]) => [file, new TextEncoder().encode(text)] as const);
  const archive = await readArchive("run", new Map(bytes));
  const { answers, quizzes } = archive;
  expect(quizzes.map(({ step }) => step)).toEqual([0, 5, 10, 15]);
  for (const { step, errors } of quizzes) {
    const own = answers.filter((answer) => answer.phase === "quiz" && answer.step === step);
    expect(own).toHaveLength(6 * 3);
    expect(own.filter(({ error_type }) => error_type !== "")).toHaveLength(Object.values(errors).reduce((sum, count) => sum + count, 0));
  }
  expect(answers.filter(({ phase, step }) => phase !== "quiz" && step !== undefined)).toEqual([]);
  const run = emptyRun();
  for (const { event } of timelineOf(archive)) applyEvent(run, event, 0);
  expect([...run.answers.quiz!.values()].flat()).toHaveLength(4 * 6 * 3);
});
