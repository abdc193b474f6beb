// The curves' warnings, each on curves that should and should not raise it.
import { expect, test } from "vitest";
import { displacement, divergence, noLongerImproves } from "../../src/ap2o/health.ts";
import type { StepMetrics } from "../../src/records.ts";

test("a loss that rises to several times its start diverges; one that falls, is noisy or has one bad step does not", () => {
  const falling = Array.from({ length: 50 }, (_, i) => 0.69 * 0.95 ** i);
  expect(divergence(falling, 1e-3)).toBeNull();
  expect(divergence([0.69, 0.7, 12, 0.6, 0.6, 0.6], 1e-3)).toBeNull();
  expect(divergence([0.69, 9, 27, 40, 50], 1)).toBeNull(); // too few to tell
  expect(divergence([0.69, 2.36, 1.86, 0.45, 7.04, 1.36], 5)).toBe(
    "Step 6: the loss rose from 0.69 to 1.86: the learning rate of 5 diverges; take a tenth of it.",
  );
  expect(divergence([0.69, Number.NaN, 0.5, 0.4], 1)).toBeNull();
  expect(divergence([0.1, 0.6, 0.5, 0.6, 0.5, 0.6], 1)).toBeNull(); // SFT starts below log 2: noise there is none
  expect(divergence([25, 24, 30, 28, 26, 25], 1)).toBeNull(); // IPO starts at (1 / 2β)²
});

function curve(chosen: (i: number) => number, margin: (i: number) => number): StepMetrics[] {
  return Array.from({ length: 30 }, (_, i) => ({
    ...{ step: i + 1, epoch: 0, loss: 0.5, grad_norm: 1, learning_rate: 1e-3, entropy: 1, num_tokens: 1, mean_token_accuracy: 1 },
    ...{ tokens_per_second: 1, "rewards/chosen": chosen(i), "rewards/margins": margin(i) },
  }));
}

test("displacement: chosen log-probabilities that fall while margins rise, by more than a nat", () => {
  const rising = (i: number) => 0.1 * i;
  expect(
    displacement(
      curve((i) => -0.02 * i, rising),
      0.1,
      true,
    ),
  ).toMatch(/^Step 30: the chosen answers have become less likely \(.* 4\.9\)/);
  expect(
    displacement(
      curve((i) => 0.02 * i, rising),
      0.1,
      true,
    ),
  ).toBeNull();
  expect(
    displacement(
      curve((i) => -0.001 * i, rising),
      0.1,
      true,
    ),
  ).toBeNull(); // a quarter of a nat
  expect(
    displacement(
      curve(
        (i) => -0.02 * i,
        (i) => -0.1 * i,
      ),
      0.1,
      true,
    ),
  ).toBeNull();
  expect(displacement(curve((i) => -0.02 * i, rising).slice(0, 19), 0.1, true)).toBeNull();
  const sft = curve(rising, rising).map(({ "rewards/chosen": _, "rewards/margins": __, ...step }) => step);
  expect(displacement(sft, 0.1, true)).toBeNull();
});

test("displacement without a reference: the log-probabilities themselves, as far as they fall beyond the batches' scatter", () => {
  const without = (logp: (i: number) => number, margin: (i: number) => number) =>
    curve(() => 5, margin).map((step, i) => ({ ...step, "logps/chosen": -20 + logp(i) }));
  const scatter = (i: number) => [3, -4, 2, 5, -3, -3][i % 6]!;
  const rising = (i: number) => 0.1 * i;
  expect(
    displacement(
      without((i) => -0.5 * i + scatter(i), rising),
      0.1,
      false,
    ),
  ).toMatch(/fell by 10\.\d/);
  expect(
    displacement(
      without((i) => -0.1 * i, rising),
      0.1,
      false,
    ),
  ).toMatch(/fell by 2\.0/);
  expect(
    displacement(
      without((i) => -0.1 * i + scatter(i), rising),
      0.1,
      false,
    ),
  ).toBeNull(); // two nats, in batches that scatter by three
  expect(
    displacement(
      without((i) => 0.5 * i, rising),
      0.1,
      false,
    ),
  ).toBeNull();
  expect(
    displacement(
      without(
        (i) => -0.5 * i,
        (i) => -0.1 * i,
      ),
      0.1,
      false,
    ),
  ).toBeNull();
  expect(
    displacement(
      without(
        (i) => -0.5 * i,
        () => Number.NaN,
      ),
      0.1,
      false,
    ),
  ).toBeNull(); // SFT has no margins
});

test("early stop: so many quizzes without a better one; the one before training does not count", () => {
  const quizzes = (...scores: number[]) => scores.map((score, i) => ({ step: 10 * i, "pass@1": score, errors: {}, replay: {} }));
  expect(noLongerImproves(quizzes(0.9, 0.4, 0.5, 0.5, 0.4), 2)).toBe(true);
  expect(noLongerImproves(quizzes(0.9, 0.4, 0.5, 0.5, 0.6), 2)).toBe(false);
  expect(noLongerImproves(quizzes(0.9, 0.4, 0.3), 2)).toBe(false);
  expect(noLongerImproves(quizzes(0.9, 0.4, 0.3, 0.2, 0.1), 0)).toBe(false);
});
