import { describe, expect, test } from "vitest";
import { learningRate, type ScheduleOptions, warmupStepCount } from "../../src/train/schedule.ts";
import { readJson, readJsonLines } from "../golden/golden.ts";

const RUNS = ["linear_wd0", "linear_wd0.01", "cosine_wd0", "constant_wd0.1_unclipped", "awkward_zero_linear_wd0"];

interface Run {
  learning_rate: number;
  lr_scheduler_type: ScheduleOptions["schedule"];
  warmup_steps: number;
  steps: number;
  metrics: { step: number; learning_rate: number }[];
}

test.each(RUNS)("the rates of %s are PyTorch's", (name) => {
  const run = readJson<Run>(`optim/${name}/run.json`);
  const options = {
    schedule: run.lr_scheduler_type,
    learningRate: run.learning_rate,
    warmupSteps: run.warmup_steps,
    totalSteps: run.steps,
  };
  for (const { step, learning_rate } of run.metrics) expect(learningRate(step - 1, options)).toBeCloseTo(learning_rate, 12);
});

test("the rates of TRL's run are ours", () => {
  const metrics = readJsonLines<{ step: number; learning_rate?: number }>("trl/text/metrics.jsonl").filter(
    (line) => line.learning_rate !== undefined,
  );
  expect(metrics).toHaveLength(10);
  const options = { schedule: "linear", learningRate: 1e-3, warmupSteps: 1, totalSteps: 10 } as const;
  for (const { step, learning_rate } of metrics) expect(learningRate(step - 1, options)).toBeCloseTo(learning_rate!, 12);
});

describe("warm-up", () => {
  test("is a number of steps, or a share below 1, rounded up", () => {
    expect(warmupStepCount(0, 25)).toBe(0);
    expect(warmupStepCount(3, 25)).toBe(3);
    expect(warmupStepCount(0.1, 25)).toBe(3);
    expect(warmupStepCount(0.1, 10)).toBe(1);
    for (const wrong of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) expect(() => warmupStepCount(wrong, 10)).toThrow("warmup_steps");
  });

  test("rises in even steps to the highest rate, for all schedules but constant", () => {
    const rates = (schedule: ScheduleOptions["schedule"]) =>
      [0, 1, 2, 3, 4].map((step) => learningRate(step, { schedule, learningRate: 8, warmupSteps: 4, totalSteps: 20 }));
    expect(rates("linear")).toEqual([0, 2, 4, 6, 8]);
    expect(rates("cosine")).toEqual([0, 2, 4, 6, 8]);
    expect(rates("constant_with_warmup")).toEqual([0, 2, 4, 6, 8]);
    expect(rates("constant")).toEqual([8, 8, 8, 8, 8]);
  });
});

test("rates never go below 0, and a warm-up of all steps never divides by 0", () => {
  for (const schedule of ["linear", "cosine"] as const) {
    expect(learningRate(12, { schedule, learningRate: 1, warmupSteps: 0, totalSteps: 10 })).toBeGreaterThanOrEqual(0);
    expect(learningRate(10, { schedule, learningRate: 1, warmupSteps: 10, totalSteps: 10 })).toBeGreaterThanOrEqual(0);
  }
});
