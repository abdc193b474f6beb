import { expect, test } from "vitest";
import { checkConfig } from "../../src/ap2o/config.ts";
import { configOf, PRESETS } from "../../src/ap2o/presets.ts";
import { InputError } from "../../src/input_error.ts";

test("every preset is a valid config", () => {
  for (const preset of ["smoke", "demo", "paper"] as const)
    expect(configOf(preset, "ap2o-h2l", 3, {})).toMatchObject({ seed: 3, ...PRESETS[preset] });
});

test("smoke has at least the promised size", () => {
  const { training_problems, exam_n, evaluation_problems, evaluation_n, steps, quiz_steps } = PRESETS.smoke;
  expect([
    training_problems >= 8,
    exam_n >= 16,
    evaluation_problems >= 12,
    evaluation_n >= 10,
    steps >= 12,
    steps / quiz_steps >= 2,
  ]).toEqual(Array(6).fill(true));
});

test("settings are replaced by name; target_modules as a list with commas", () => {
  const config = configOf("demo", "dyn-dpo", 0, { learning_rate: 1e-4, target_modules: "q_proj,v_proj", shuffle_verdicts: true });
  expect(config).toMatchObject({
    learning_rate: 1e-4,
    target_modules: ["q_proj", "v_proj"],
    shuffle_verdicts: true,
    steps: PRESETS.demo.steps,
  });
});

test("settings that older files lack are at what they were then", () => {
  const { split_seed: _, pairs_per_epoch: __, ...older } = configOf("demo", "dpo", 0, { split_seed: 3 });
  expect(checkConfig(older)).toEqual(configOf("demo", "dpo", 0, { split_seed: 0, pairs_per_epoch: 1 }));
});

test("SFT brings its own loss", () => {
  expect(configOf("demo", "sft", 0, {}).loss_type).toBe("sft");
});

test.each([
  [{ stepz: 3 }, "stepz: there is no such setting; there are method, seed"],
  [{ steps: "many" }, "steps: Invalid type"],
  [{ batch_size: 0 }, "batch_size: Invalid value"],
  [{ learning_rate: Number.NaN }, "learning_rate: "],
  [{ target_modules: "lm_head" }, "target_modules.0: Invalid type"],
  [{ loss_type: "magic" }, "loss_type: Invalid type"],
])("%j is refused with one sentence", (overrides, sentence) => {
  const config = () => configOf("demo", "ap2o-h2l", 0, overrides as Record<string, number | string>);
  expect(config).toThrow(InputError);
  expect(config).toThrow(sentence);
});
