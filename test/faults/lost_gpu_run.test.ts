// A whole run whose GPU fails at any of its calls: the same files as one whose GPU never did. Without a GPU, so that every call can be tried.
import { expect, test } from "vitest";
import { LastingStudent } from "../../src/ap2o/lasting_student.ts";
import { Run } from "../../src/ap2o/run.ts";
import { appendsOf } from "../../src/ap2o/run_files.ts";
import type { Keeper } from "../../src/ap2o/run_state.ts";
import type { Ask, AskOptions, Lesson, Written } from "../../src/ap2o/student.ts";
import { GpuFailure, NotFinite } from "../../src/gpu/gpu.ts";
import { InputError } from "../../src/input_error.ts";
import { FakeJudge, FakeStudent, fakeClock, fakeConfig, fakeProblems } from "../ap2o/fakes.ts";

const config = fakeConfig({ exam_n: 6, evaluation_n: 3, quiz_n: 3, steps: 9, quiz_steps: 3, batch_size: 2 });

/** Counts what is asked of the GPU, across all students, and fails at the calls named. */
class Fragile extends FakeStudent {
  static calls = 0;
  static failAt: readonly number[] = [];
  static failure = () => new GpuFailure("the GPU device was lost (unknown): test");

  constructor() {
    super({ gain: (step) => (step <= 6 ? 0.06 : -0.2) });
  }

  #call(): void {
    Fragile.calls += 1;
    if (Fragile.failAt.includes(Fragile.calls)) throw Fragile.failure();
  }

  override async *write(questions: readonly Ask[], options: AskOptions): AsyncGenerator<Written> {
    for await (const written of super.write(questions, options)) {
      this.#call();
      yield written;
    }
  }

  override async learn(batch: readonly Lesson[]) {
    this.#call();
    return super.learn(batch);
  }

  override async weights() {
    this.#call();
    return super.weights();
  }
}

/** Takes a checkpoint at the end of stages, as one that has to be short of time does. */
const keeper: Keeper = {
  note: async () => {},
  checkpoint: async (must, make) => {
    if (must) await make();
  },
};

async function filesOf(failAt: readonly number[], msPerFailure = 100_000) {
  Fragile.calls = 0;
  Fragile.failAt = failAt;
  let [time, opened] = [0, 0];
  const told: string[] = [];
  const open = async () => {
    opened += 1;
    return new Fragile();
  };
  const student = await LastingStudent.open({ open, told: (message) => void told.push(message), now: () => (time += msPerFailure) });
  const run = new Run({
    preset: "smoke",
    config,
    problems: fakeProblems(4),
    student,
    judge: new FakeJudge(false),
    now: fakeClock(),
    keeper,
  });
  const files: Record<string, string> = {};
  for await (const event of run.events()) for (const { file, text } of appendsOf(event)) files[file] = (files[file] ?? "") + text;
  for (const [file, text] of Object.entries(files)) files[file] = text.replace(/"seconds": \{[^}]*\}|"tokens_per_second":[^,}]*/g, "");
  return { files, told, opened, calls: Fragile.calls };
}

const whole = await filesOf([]);

test("lost at any call: one new device, one sentence, the same files", async () => {
  expect([whole.told, whole.opened]).toEqual([[], 1]);
  expect(whole.calls).toBeGreaterThan(60);
  for (let call = 1; call <= whole.calls; call++) {
    const lost = await filesOf([call]);
    expect([lost.told.length, lost.opened], `lost at call ${call}`).toEqual([1, 2]);
    expect(lost.files, `lost at call ${call}`).toEqual(whole.files);
  }
});

test("lost again while it catches up, and again later: the same files", async () => {
  const lost = await filesOf([40, 41, 80]);
  expect(lost.opened).toBe(4);
  expect(lost.files).toEqual(whole.files);
});

test("lost three times within a minute: an InputError with advice", async () => {
  await expect(filesOf([20, 21, 22], 10)).rejects.toThrow(InputError);
  await expect(filesOf([20, 21, 22], 10)).rejects.toThrow(/^The GPU failed 3 times within a minute/);
});

const from = (first: number) => Array.from({ length: 500 }, (_, i) => first + i);

test("a failure that comes again however long another device takes: it stops with advice; one that lets work through does not", async () => {
  const sentence =
    /^The GPU failed 3 times without getting any further \(.*\): close what else uses it.*; nothing that was written is lost\.$/;
  for (const call of [5, 45]) await expect(filesOf(from(call)), `from call ${call}`).rejects.toThrow(sentence);
  const often = await filesOf([10, 20, 30, 40, 50, 60]);
  expect(often.opened).toBe(7);
  expect(often.files).toEqual(whole.files);
});

test("numbers that are none for the third time: the advice is another one", async () => {
  Fragile.failure = () => new NotFinite("7 logits are NaN or infinity while answers are written; first bad tensor: model.norm.weight");
  await expect(filesOf(from(5))).rejects.toThrow(
    /model\.norm\.weight\): the model's files or the GPU's driver are at fault; take another dtype/,
  );
});
