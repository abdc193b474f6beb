// The settings of a run: plain data under the names that run.json, the command line and the page use (TRL's and PEFT's where
// they have one).
import * as v from "valibot";
import { InputError } from "../input_error.ts";
import { PROMPT_STYLES } from "../tasks/prompt.ts";
import { type LossType, OBJECTIVES } from "../train/objectives.ts";
import { SCHEDULES } from "../train/schedule.ts";
import { DIFF_UNITS } from "./focal_diff.ts";
import { hasWindows, METHODS, PAIRS_PER_EPOCH } from "./methods.ts";

const LOSS_TYPES = Object.keys(OBJECTIVES) as LossType[];
const count = v.pipe(v.number(), v.integer(), v.minValue(1));
const countOrAll = v.pipe(v.number(), v.integer(), v.minValue(0));
const notNegative = v.pipe(v.number(), v.finite(), v.minValue(0));
const positive = v.pipe(v.number(), v.finite(), v.gtValue(0));

const seed = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 32 - 1));

/** The seven projections of a layer, by PEFT's names. */
const PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"] as const;

const ConfigSchema = v.strictObject({
  method: v.picklist(METHODS),
  seed,
  /** Deals the problems of files that name no splits; the same for all seeds of a method. (0 in files that lack it.) */
  split_seed: v.optional(seed, 0),
  rule: v.picklist(["paper", "reference"]),
  scope: v.picklist(["problem", "corpus"]),
  prompt_style: v.picklist(PROMPT_STYLES),
  /** At most so many problems of each split, in the file's order; 0 = all. */
  training_problems: countOrAll,
  validation_problems: countOrAll,
  evaluation_problems: countOrAll,
  max_new_tokens: count,
  /** Answers per problem, temperature of sampling, time for one program with all its tests. */
  exam_n: count,
  exam_temperature: notNegative,
  exam_timeout_ms: count,
  quiz_n: count,
  quiz_temperature: notNegative,
  /** A quiz every so many steps; 0 = once per epoch (DPO, Curri-DPO: every 100 steps). */
  quiz_steps: countOrAll,
  /** Of the quiz and of the evaluation. */
  quiz_timeout_ms: count,
  evaluation_n: count,
  evaluation_temperature: notNegative,
  /** Optimiser steps; 0 = as many as `epochs` take (DPO, Curri-DPO: once over all pairs). */
  steps: countOrAll,
  /** Stops after so many quizzes in a row without a better one; 0 = never. */
  early_stop_quizzes: countOrAll,
  /** Epochs of one pair per problem, where `steps` is 0; of whole windows in any case. */
  epochs: count,
  /** AP2O: pairs of a problem in an epoch, 1 or all of its window ("window"); `steps`, where it is not 0, then ends a run early. (1 in files that lack it.) */
  pairs_per_epoch: v.optional(v.picklist(PAIRS_PER_EPOCH), 1),
  /** Pairs per optimiser step; beside each of a whole window's one that is replayed, once a quiz has found errors. */
  batch_size: count,
  loss_type: v.picklist(LOSS_TYPES),
  beta: positive,
  label_smoothing: notNegative,
  /** Weight of an SFT term on the chosen answers; with iterpref 1 makes Target-RPO. */
  rpo_alpha: notNegative,
  /** SimPO's target margin. */
  simpo_gamma: notNegative,
  /** Where the loss is focal: what is compared, and the side that is masked (both: the paper's known failure). */
  focal_diff: v.picklist(DIFF_UNITS),
  focal_sides: v.picklist(["rejected", "both"]),
  /** IterPref: failed answers per problem that the model repairs (0 = all), rounds for each, and whether one that is never repaired is paired with the nearest passed answer. */
  codeflow_n: countOrAll,
  codeflow_rounds: countOrAll,
  codeflow_fallback: v.boolean(),
  learning_rate: positive,
  lr_scheduler_type: v.picklist(SCHEDULES),
  /** Steps, or below 1 a share of all steps. */
  warmup_steps: notNegative,
  weight_decay: notNegative,
  /** 0 = no clipping. */
  max_grad_norm: notNegative,
  r: count,
  lora_alpha: positive,
  target_modules: v.pipe(v.array(v.picklist(PROJECTIONS)), v.minLength(1)),
  use_rslora: v.boolean(),
  /** A control: the exam's verdicts are permuted among each problem's answers, so that chosen and rejected mean nothing. */
  shuffle_verdicts: v.boolean(),
});

export type RunConfig = v.InferOutput<typeof ConfigSchema>;

/** @throws InputError that names the setting, what it must be and what was found */
export function checkConfig(config: Readonly<Record<string, unknown>>): RunConfig {
  const unknown = Object.keys(config).find((name) => !(name in ConfigSchema.entries));
  if (unknown !== undefined) {
    throw new InputError(`${unknown}: there is no such setting; there are ${Object.keys(ConfigSchema.entries).join(", ")}.`);
  }
  const result = v.safeParse(ConfigSchema, config);
  if (result.success) return checkTogether(result.output);
  const issue = result.issues[0];
  throw new InputError(`${v.getDotPath(issue) ?? "config"}: ${issue.message}.`);
}

/** What is wrong only together. */
function checkTogether(config: RunConfig): RunConfig {
  const { method, rule, loss_type, shuffle_verdicts, focal_sides, rpo_alpha, pairs_per_epoch } = config;
  if ((method === "sft") !== (loss_type === "sft"))
    throw new InputError(`loss_type: ${loss_type} does not go with the method ${method}; sft goes with sft alone.`);
  if (method === "iterpref" && shuffle_verdicts)
    throw new InputError("shuffle_verdicts: not with iterpref, whose repaired answers would still have their true verdicts.");
  if (pairs_per_epoch === "window" && !hasWindows(method))
    throw new InputError(`pairs_per_epoch: ${method} has no windows; window goes with the methods of AP2O alone.`);
  if (pairs_per_epoch === "window" && rule === "reference")
    throw new InputError("pairs_per_epoch: not window by rule reference, as the public code draws one pair per problem and epoch; take 1.");
  if (focal_sides === "both" && rpo_alpha > 0)
    throw new InputError("rpo_alpha: not with focal_sides both, as the SFT term needs all of the chosen answer; take 0, or rejected.");
  return config;
}
