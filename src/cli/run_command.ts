// errata run: the whole loop and the evaluation before and after it.

import { createHash, randomUUID } from "node:crypto";
import { join } from "node:path";
import { checkConfig, type RunConfig } from "../ap2o/config.ts";
import { type Engine, newStudent } from "../ap2o/engine_student.ts";
import { METHODS } from "../ap2o/methods.ts";
import { configOf, PRESET_NAMES, readSetting } from "../ap2o/presets.ts";
import { Run } from "../ap2o/run.ts";
import { appendsOf } from "../ap2o/run_files.ts";
import { adapterName } from "../gpu/device.ts";
import { InputError } from "../input_error.ts";
import type { Model } from "../model/model.ts";
import { writeAdapter } from "../model/peft.ts";
import { readTiles } from "../model/tuner.ts";
import type { RunEvent } from "../records.ts";
import { differences, drifts, hasStoredRun, type RunHead, RunKeeper, readStoredRun, type StoredRun } from "../storage/run_store.ts";
import type { Problem } from "../tasks/problem.ts";
import { PROMPT_STYLES } from "../tasks/prompt.ts";
import { PACK_TOKENS } from "../train/logps.ts";
import { kernelsChecksum } from "../train/references.ts";
import { lastingStudent } from "./another_engine.ts";
import type { Command } from "./command.ts";
import { diskFolder } from "./disk_folder.ts";
import { choiceFlag, listFlag, numberFlag, switchFlag, textFlag } from "./flags.ts";
import { MODEL_FLAGS, modelIdentity, openEngine, openJudge, openRunProblems, PROBLEM_FLAGS, problemsChecksum, SPLIT_FLAG } from "./open.ts";
import { OutFolder } from "./out_folder.ts";
import { callerPath } from "./paths.ts";
import { duration, type Progress } from "./progress.ts";
import { lockFolder } from "./run_lock.ts";
import { checkFinished, finishedRun } from "./run_record.ts";
import { readExam } from "./sitting_folder.ts";

const FILES = [
  "run.json",
  "metrics.jsonl",
  "samples.jsonl",
  "results.jsonl",
  "notebook.json",
  "preferences.jsonl",
  "quizzes.jsonl",
  "adapter",
  "adapter_last",
];
/** Where a run that is not finished keeps what it needs to go on. */
const UNFINISHED = "unfinished";

const flags = {
  method: choiceFlag(METHODS, "what it is trained on", "ap2o-h2l"),
  preset: choiceFlag(PRESET_NAMES, "how much of everything", "demo"),
  out: textFlag("FOLDER", "where the run's files go", null),
  seed: numberFlag("S", "seed of every draw", 0, { integer: true, min: 0, max: 2 ** 32 - 1 }),
  ...MODEL_FLAGS,
  ...PROBLEM_FLAGS,
  ...SPLIT_FLAG,
  "prompt-style": choiceFlag(PROMPT_STYLES, "how problems are put to the model (the preset's)", null),
  rule: choiceFlag(["paper", "reference"], "where paper and code differ: as which (paper)", null),
  scope: choiceFlag(["problem", "corpus"], "an error is frequent within its problem or over all (problem)", null),
  "loss-type": textFlag("NAME", "the objective: sigmoid (DPO), ipo, simpo, cal_dpo, hinge ... by TRL's names", null),
  "shuffle-verdicts": switchFlag("the control: the exam's verdicts are permuted, so that nothing can be learned from them"),
  exam: textFlag("FOLDER", "an exam that was sat before (errata exam --out, or a run's folder), in place of the run's own", null),
  resume: switchFlag("go on with the run that was stopped in --out, wherever it was, as if it had not been; give its flags again"),
  set: listFlag("NAME=VALUE,...", "other settings, by their names in run.json's config", [], (text, flag) =>
    readSetting(text, `--${flag}`),
  ),
} as const;

export const runCommand: Command<typeof flags> = {
  name: "run",
  summary: "the whole loop: exam, analysis, correction, quiz; evaluation before and after",
  description: `Lets the model sit an exam, sorts its failures, trains a LoRA adapter on them in the method's order, quizzes it in between and evaluates it before
and after. Writes run.json, samples.jsonl, results.jsonl, notebook.json, preferences.jsonl, metrics.jsonl, quizzes.jsonl, adapter/ (the best
quiz's weights, PEFT) and adapter_last/; prints run.json's main figures. Ctrl-C stops and keeps what was trained. Whatever stops it, a
kill or a power cut included: the same command with --resume goes on, and gives the same files to the byte (times and rates apart).

  errata run --preset smoke --out SMOKE
  errata run --preset smoke --out SMOKE --resume
  errata run --method dpo --exam RUN --out OTHER
  errata run --method ap2o-l2h --seed 2 --set steps=160,learning_rate=2e-4 --out RUN
  errata run --method ap2o-h2l --set pairs_per_epoch=window,epochs=10,steps=0 --out RUN`,
  flags,
  run: async (values, { print, progress, interrupted }) => {
    if (values.out === null) throw new InputError("Say where the run's files go: --out FOLDER.");
    const named = {
      ...(values["prompt-style"] !== null && { prompt_style: values["prompt-style"] }),
      ...(values.rule !== null && { rule: values.rule }),
      ...(values.scope !== null && { scope: values.scope }),
      ...(values["loss-type"] !== null && { loss_type: values["loss-type"] }),
      ...(values["shuffle-verdicts"] && { shuffle_verdicts: true }),
    };
    const config = configOf(values.preset, values.method, values.seed, {
      split_seed: values["split-seed"],
      ...named,
      ...Object.fromEntries(values.set),
    });
    const problems = openRunProblems(values, config.split_seed, progress);
    const path = callerPath(values.out);
    const out = new OutFolder(path);
    const folder = diskFolder(join(path, UNFINISHED));
    const unfinished = await hasStoredRun(folder);
    if (unfinished && !values.resume) {
      throw new InputError(`${path} holds an unfinished run: go on with it by --resume, or delete ${folder.name} to begin anew.`);
    }
    const record = values.resume && !unfinished ? finishedRun(path) : null;
    if (record) {
      const model = await modelIdentity(values, progress);
      const exam = examOf(values, config, model);
      checkFinished(path, record, { preset: values.preset, config, model, problems: checksumOf(problems, exam) });
      out.remove(UNFINISHED);
      progress.say("the run is finished: there is nothing left to do");
      return print(summaryOf(record));
    }
    const unlock = lockFolder(folder.name);
    try {
      const stored = unfinished ? await readStoredRun(folder) : null;
      if (unfinished && !stored) progress.say(`the beginning of the run in ${folder.name} is damaged: it begins anew`);
      if (stored) checkSame(stored.head, { ...stored.head, preset: values.preset, config }, path); // before the slow part
      if (!stored) out.remove(...FILES);
      const judging = openJudge(progress);
      judging.catch(() => {}); // reported below, after the engine's own message
      const training = { tokens: PACK_TOKENS, checkpoint: values.checkpoint };
      const engine = await openEngine(values, progress, async () => ({ lora: config, training })); // sampling is planned with its prompts
      const judge = await judging;
      try {
        const exam = examOf(values, config, engine.model);
        const head = headOf(values.preset, config, checksumOf(problems, exam), engine);
        if (stored) {
          engine.gpu.tiles = readTiles(JSON.stringify(stored.head.kernels)) ?? engine.gpu.tiles;
          checkSame(stored.head, head, path);
          tellDamage(stored, head, progress);
        }
        const now = () => performance.now();
        const keeper = await (stored ? RunKeeper.goOn(folder, stored, now) : RunKeeper.begin(folder, head, now));
        const student = await lastingStudent(engine, values, progress, (on) => newStudent(on, config));
        const run = new Run({
          preset: values.preset,
          config,
          problems,
          problemsChecksum: head.problems,
          student,
          judge,
          now,
          keeper,
          ...(exam && { exam }),
          ...(stored && { past: stored }),
        });
        await pull(run, out, engine.model.id, progress, interrupted);
        await keeper.close();
        print(summaryOf(await keep(run, out, engine.model.id)));
        if (!run.finished) return progress.say("go on with it by --resume");
        progress.say(`keeping it safe took ${keeper.seconds.toFixed(1)} s`);
        await folder.remove("journal"); // first: without it the rest is of no use
        out.remove(UNFINISHED);
        if (run.diverged !== null) throw new InputError(run.diverged);
      } finally {
        await judge.close();
      }
    } finally {
      unlock();
    }
  },
};

type Exam = ReturnType<typeof readExam>;

/** The exam of --exam, or null where none is named. */
function examOf(values: { exam: string | null; problems: string }, config: RunConfig, model: Pick<Model, "sha256" | "dtype">): Exam | null {
  return values.exam === null ? null : readExam(callerPath(values.exam), examSettings(config, model, problemsChecksum(values)));
}

/** Checksum of the problems as they are read, and of the exam that was sat on them before. */
function checksumOf(problems: readonly Problem[], exam: Exam | null): string {
  return createHash("sha256")
    .update(JSON.stringify({ problems, exam: exam?.sha256 ?? null }))
    .digest("hex");
}

function headOf(preset: string, config: RunConfig, problems: string, { gpu, model, device }: Engine): RunHead {
  return {
    id: randomUUID(),
    started: new Date().toISOString(),
    preset,
    config,
    model: { id: model.id, dtype: model.dtype, sha256: model.sha256 },
    problems,
    device: adapterName(device),
    kernels: gpu.tiles,
    code: kernelsChecksum(),
  };
}

/** What an exam must have been sat with to stand for the run's own. Its seed may be another one. */
export function examSettings(config: RunConfig, model: Pick<Model, "sha256" | "dtype">, problems_sha256: string) {
  return {
    model_sha256: model.sha256,
    dtype: model.dtype,
    adapter_sha256: "", // an exam of an adapter is not the model's own
    problems_sha256,
    split_seed: config.split_seed,
    temperature: config.exam_temperature,
    max_new_tokens: config.max_new_tokens,
    prompt_style: config.prompt_style,
    timeout_ms: config.exam_timeout_ms,
  };
}

/** @throws InputError where the stored run was begun with anything else than what is asked for now */
function checkSame(head: RunHead, wanted: RunHead, path: string): void {
  const different = differences({ ...head, config: checkConfig(head.config) }, wanted); // settings that it lacks are at their defaults
  if (different.length > 0) {
    throw new InputError(
      `The run in ${path} was begun with other settings: ${different.join(", ")}; give the same ones, or name another --out.`,
    );
  }
}

function tellDamage({ head, warnings }: StoredRun, wanted: RunHead, progress: Progress): void {
  for (const warning of warnings) progress.say(`warning: ${warning}`);
  for (const drift of drifts(head, wanted)) progress.say(`warning: ${drift}`);
}

/** Pulls the run to its end, or to an interrupt; its files grow with it. */
async function pull(run: Run, out: OutFolder, modelId: string, progress: Progress, interrupted: AbortSignal): Promise<void> {
  try {
    for await (const event of run.events()) {
      for (const { file, text } of appendsOf(event)) out.append(file, text);
      tell(event, progress);
      if (interrupted.aborted && run.caughtUp) break;
    }
  } catch (error) {
    if (run.steps > 0) await keep(run, out, modelId).catch(() => null); // what went wrong first is what is told
    throw error;
  }
}

/** Writes what the run leaves behind, finished or not; gives run.json. */
async function keep(run: Run, out: OutFolder, modelId: string): Promise<Record<string, unknown>> {
  const { run: record, best, last } = await run.kept();
  for (const { path, bytes } of writeAdapter(best, modelId)) out.write(`adapter/${path}`, bytes);
  for (const { path, bytes } of writeAdapter(last, modelId)) out.write(`adapter_last/${path}`, bytes);
  out.write("run.json", `${JSON.stringify(record, null, 2)}\n`);
  return record;
}

function summaryOf({
  method,
  seed,
  exam,
  codeflow,
  before,
  after,
  after_last,
  gain,
  steps,
  bestStep,
  seconds,
}: Record<string, unknown>): string {
  return JSON.stringify({ method, seed, exam, codeflow, before, after, after_last, gain, steps, bestStep, seconds });
}

/** Tells an event on stderr: what goes on in the live line, what stays in a line of its own. */
function tell(event: RunEvent, progress: Progress): void {
  if (event.type === "stage" || event.type === "step") progress.show(goingOn(event));
  const line = worthKeeping(event);
  if (line !== null) progress.say(line);
}

function goingOn(event: Extract<RunEvent, { type: "stage" | "step" }>): string {
  if (event.type === "stage") {
    const unit = event.stage === "correction" ? "steps" : "answers";
    const left = event.secondsLeft === null || event.done === event.total ? "" : `, ${duration(event.secondsLeft)} left`;
    return `${event.phase ?? event.stage}: ${event.done} of ${event.total} ${unit}${left}`;
  }
  const { step, loss, grad_norm } = event.metrics;
  const margin = event.metrics["rewards/margins"];
  const margins = margin === undefined ? "" : `, margin ${margin.toFixed(3)}`;
  return `step ${step} of ${event.steps}: loss ${loss.toFixed(3)}${margins}, gradient norm ${grad_norm.toFixed(2)}`;
}

function worthKeeping(event: RunEvent): string | null {
  switch (event.type) {
    case "notebook": {
      const { counts, problems, dropped } = event.notebook;
      return `notebook: ${problems.length} problems to train on, ${dropped.length} left out; errors: ${countsText(counts)}`;
    }
    case "quiz": {
      const { step, errors } = event.quiz;
      const star = event.best ? " (best so far)" : "";
      return `quiz at step ${step}: pass@1 ${event.quiz["pass@1"].toFixed(3)}${star}; errors: ${countsText(errors)}`;
    }
    case "evaluation": {
      const { errors, problems, n } = event.result;
      return `${event.phase}: pass@1 ${event.result["pass@1"].toFixed(3)} on ${problems} problems x ${n}; errors: ${countsText(errors)}`;
    }
    case "warning":
      return `warning: ${event.message}`;
    case "stage":
    case "step":
    case "answer":
    case "finished":
      return null;
  }
}

function countsText(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([type, count]) => `${type} ${count}`);
  return parts.length === 0 ? "none" : parts.join(", ");
}
