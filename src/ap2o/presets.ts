// The presets: plain data, a reason per number. Method and seed are the caller's.
import { InputError } from "../input_error.ts";
import { checkConfig, type RunConfig } from "./config.ts";

export type PresetName = "smoke" | "demo" | "paper";
export type Preset = Omit<RunConfig, "method" | "seed">;

const ALL_PROJECTIONS: RunConfig["target_modules"] = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

/** The embedded model's lesson: minutes on a software adapter, and enough answers for the numbers to mean something. */
const demo: Preset = {
  split_seed: 0, // not the run's seed: three seeds of a method are to train on the same problems
  rule: "paper",
  scope: "problem", // the paper's figure 1 and its code
  prompt_style: "raw", // the embedded problems' prompts end in the def line that the model continues
  training_problems: 100, // nearly all of them survive the filter
  validation_problems: 40, // with quiz_n 4: 160 answers, a standard error of about 4 points
  evaluation_problems: 60, // with evaluation_n 10: 600 answers, a standard error of about 2 points
  max_new_tokens: 110, // answers have about 40 tokens; the longest right ones stay below 100
  exam_n: 32, // about 9 distinct passed and 18 distinct failed answers a problem; the code takes 100
  exam_temperature: 1, // the code's
  exam_timeout_ms: 500, // right answers take a millisecond; the code's 1 s would spend minutes on endless loops
  quiz_n: 4, // a greedy answer of each of a few problems would decide neither replay nor best checkpoint
  quiz_temperature: 1, // as the exam: the errors it finds are those that the exam made
  quiz_steps: 10, // 10 quizzes
  quiz_timeout_ms: 1000, // likewise; the code takes 3 s
  evaluation_n: 10, // pass@10 needs ten
  evaluation_temperature: 0.6, // the paper's
  steps: 100, // the quiz still rises at the end, but slowly
  early_stop_quizzes: 0, // off: the schedule ends the run
  epochs: 1, // not used: steps decides
  pairs_per_epoch: 1, // the code's
  batch_size: 8, // 16 sequences a step: a second on a software adapter
  loss_type: "sigmoid", // the paper's objective
  beta: 0.1, // the paper's
  label_smoothing: 0, // off: the verdicts are the tests', not raters' who may err
  rpo_alpha: 0, // off: the paper's objective has no SFT term
  simpo_gamma: 0.5, // TRL's
  focal_diff: "line", // the paper's (IterPref)
  focal_sides: "rejected", // the paper's: the chosen answer counts whole
  codeflow_n: 4, // of about 18: a pair each, and minutes of repairing saved
  codeflow_rounds: 5, // the paper's
  codeflow_fallback: true, // the embedded model repairs one in ten: it never saw such a prompt
  learning_rate: 1e-3, // the embedded model has large weights: 3e-4 hardly moves it, 3e-3 breaks its syntax from step 45 on
  lr_scheduler_type: "linear", // the code's
  warmup_steps: 0.1, // the code's
  weight_decay: 0, // TRL's; on LoRA it would pull towards the model as it was, which β does already
  max_grad_norm: 1, // TRL's
  r: 8, // PEFT's: 78 thousand weights beside the embedded model's 871 thousand
  lora_alpha: 16, // a scale of 2, with which the learning rate was tried
  target_modules: ALL_PROJECTIONS, // full fine-tuning, the code's, moves all of them
  use_rslora: false, // PEFT's scale, lora_alpha / r
  shuffle_verdicts: false, // the control is asked for
};

/** The whole loop within minutes on any adapter. It improves in most runs, but on so few answers its figures mean little. */
const smoke: Preset = {
  ...demo,
  training_problems: 8, // one batch has each of them once
  validation_problems: 6, // with quiz_n 4: 24 answers, two seconds a quiz on a software adapter
  evaluation_problems: 12, // with evaluation_n 10: 120 answers, seconds each time, a standard error of about 4 points
  exam_n: 16, // about 4 distinct passed and 10 distinct failed answers a problem: enough for all 8 to stay
  steps: 12, // an epoch each: windows of one answer go through most of the list
  learning_rate: 4e-3, // twelve steps only: what would break the model in the demo's hundred does not in these
  quiz_steps: 6, // two quizzes, beside the one before training
};

/** The code's settings with LoRA in place of full fine-tuning; the paper itself names none. For a real model on a real GPU. */
const paper: Preset = {
  ...demo,
  prompt_style: "ap2o",
  training_problems: 0, // all: 384 of MBPP
  validation_problems: 0, // all: 90 of MBPP
  evaluation_problems: 0, // all: 500 of MBPP, but for the three that are also trained on
  max_new_tokens: 1024, // the code's (512 for EvalPlus's MBPP)
  exam_n: 100, // the code's
  exam_timeout_ms: 1000, // the code's
  codeflow_n: 0, // every failed answer, as the paper
  codeflow_fallback: false, // the paper discards what is never repaired
  quiz_timeout_ms: 3000, // the code's
  quiz_n: 1, // the code's: one answer per validation problem
  quiz_temperature: 0.01, // the code's: as good as greedy
  quiz_steps: 0, // once per epoch
  steps: 0, // from the epochs
  epochs: 200, // one pair per problem in each: the window then holds one answer
  batch_size: 32, // 16 on each of two devices
  learning_rate: 5e-5, // the code's 5e-7 is for all weights; LoRA moves few of them and wants 10 to 100 times that
  r: 16, // twice the demo's: a real model's layers are wider and its problems more
  lora_alpha: 32, // the demo's scale of 2
};

export const PRESETS: Record<PresetName, Preset> = { smoke, demo, paper };
export const PRESET_NAMES: readonly PresetName[] = ["smoke", "demo", "paper"];

/**
 * "NAME=VALUE" as a setting: a number or truth value where it reads as one, else text. Which settings there are, checkConfig knows.
 * @throws InputError, which begins with `where`
 */
export function readSetting(text: string, where: string): [string, number | string | boolean] {
  const at = text.indexOf("=");
  if (at < 1) throw new InputError(`${where} takes NAME=VALUE; found ${text}.`);
  const [name, value] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  if (value === "true" || value === "false") return [name, value === "true"];
  return [name, value !== "" && Number.isFinite(Number(value)) ? Number(value) : value];
}

/**
 * A preset's settings with some of them replaced.
 * @param overrides settings by their names; target_modules as "q_proj,v_proj"
 * @throws InputError that names the setting, what it must be and what was found
 */
export function configOf(
  preset: PresetName,
  method: string,
  seed: number,
  overrides: Readonly<Record<string, number | string | boolean>>,
): RunConfig {
  const { target_modules, ...others } = overrides;
  const modules = target_modules === undefined ? {} : { target_modules: String(target_modules).split(",") };
  const loss = method === "sft" ? { loss_type: "sft" } : method === "iterpref" ? { loss_type: "focal" } : {};
  return checkConfig({ ...PRESETS[preset], ...loss, ...others, ...modules, method, seed });
}
