// errata exam, quiz and eval: the same sitting with different habits. Samples, judges, counts.
import { createHash } from "node:crypto";
import { type Engine, EngineStudent } from "../ap2o/engine_student.ts";
import { evaluationResult, meanPassAtK } from "../ap2o/evaluate.ts";
import { countErrors, makeNotebook } from "../ap2o/notebook.ts";
import { PRESET_NAMES, PRESETS, type Preset, type PresetName } from "../ap2o/presets.ts";
import { resultOf, sampleOf } from "../ap2o/run_files.ts";
import { sit } from "../ap2o/sit.ts";
import { InputError } from "../input_error.ts";
import { type Adapter, adapterToFile } from "../model/lora.ts";
import type { Model } from "../model/model.ts";
import type { AdapterFile } from "../model/peft.ts";
import type { Answer, EvaluationResult, Phase, RunEvent, Stage } from "../records.ts";
import type { Problem } from "../tasks/problem.ts";
import { PROMPT_STYLES, type PromptStyle } from "../tasks/prompt.ts";
import { lastingStudent } from "./another_engine.ts";
import type { Command, Console } from "./command.ts";
import { choiceFlag, listFlag, numberFlag, readNumber, textFlag, type Values } from "./flags.ts";
import {
  ADAPTER_FLAG,
  MODEL_FLAGS,
  openAdapter,
  openEngine,
  openJudge,
  openProblems,
  PROBLEM_FLAGS,
  problemsChecksum,
  SPLIT_FLAG,
} from "./open.ts";
import { OutFolder } from "./out_folder.ts";
import { callerPath } from "./paths.ts";
import { readAnswers, readSettings, SETTINGS_FILE, type SittingSettings, settingsThatDiffer } from "./sitting_folder.ts";

const SPLITS = ["train", "validation", "evaluation", "all"] as const;

interface Habit {
  readonly name: "exam" | "quiz" | "eval";
  readonly summary: string;
  readonly stage: Stage;
  readonly split: (typeof SPLITS)[number];
  /** What a run of the preset does at this stage. */
  readonly inRuns: (preset: Preset) => { readonly n: number; readonly temperature: number; readonly timeoutMs: number };
}

const HABITS: readonly Habit[] = [
  {
    name: "exam",
    summary: "many answers to the training problems, judged",
    stage: "exam",
    split: "train",
    inRuns: ({ exam_n, exam_temperature, exam_timeout_ms }) => ({
      n: exam_n,
      temperature: exam_temperature,
      timeoutMs: exam_timeout_ms,
    }),
  },
  {
    name: "quiz",
    summary: "a few answers to each validation problem, judged",
    stage: "quiz",
    split: "validation",
    inRuns: ({ quiz_n, quiz_temperature, quiz_timeout_ms }) => ({
      n: quiz_n,
      temperature: quiz_temperature,
      timeoutMs: quiz_timeout_ms,
    }),
  },
  {
    name: "eval",
    summary: "pass@k on the evaluation problems",
    stage: "evaluation",
    split: "evaluation",
    inRuns: ({ evaluation_n, evaluation_temperature, quiz_timeout_ms }) => ({
      n: evaluation_n,
      temperature: evaluation_temperature,
      timeoutMs: quiz_timeout_ms,
    }),
  },
];

/** Flags that a preset decides where they are not given. */
interface MannerFlags {
  readonly preset: PresetName;
  readonly n: number | null;
  readonly temperature: number | null;
  readonly "max-new-tokens": number | null;
  readonly "prompt-style": PromptStyle | null;
  readonly "timeout-ms": number | null;
}

/** How a sitting is held: as a run of the preset holds it, but for the flags that are given. */
export function mannerOf(name: Habit["name"], flags: MannerFlags) {
  const preset = PRESETS[flags.preset];
  const habit = HABITS.find((candidate) => candidate.name === name)!.inRuns(preset);
  return {
    n: flags.n ?? habit.n,
    temperature: flags.temperature ?? habit.temperature,
    maxNewTokens: flags["max-new-tokens"] ?? preset.max_new_tokens,
    style: flags["prompt-style"] ?? preset.prompt_style,
    timeoutMs: flags["timeout-ms"] ?? habit.timeoutMs,
  };
}

type Manner = ReturnType<typeof mannerOf>;

const counted = { integer: true, min: 1 } as const;

function flagsOf(habit: Habit) {
  return {
    ...MODEL_FLAGS,
    ...ADAPTER_FLAG,
    ...PROBLEM_FLAGS,
    ...SPLIT_FLAG,
    split: choiceFlag(SPLITS, `which problems (${habit.split}; of a file whose format has one split alone all)`, null),
    preset: choiceFlag(PRESET_NAMES, "whose runs' habits are taken where no flag says otherwise", "demo"),
    n: numberFlag("N", "answers per problem (the preset's)", null, counted, { short: "n" }),
    k: listFlag("1,5,10", "pass@k for these k (those of 1, 5, 10 that n allows)", null, (text, flag) => readNumber(text, flag, counted), {
      short: "k",
    }),
    temperature: numberFlag("T", "0 is greedy (the preset's)", null, { min: 0 }),
    "max-new-tokens": numberFlag("M", "tokens per answer at most (the preset's)", null, counted),
    "prompt-style": choiceFlag(PROMPT_STYLES, "how problems are put to the model (the preset's)", null),
    "timeout-ms": numberFlag("MS", "time for one program with all its tests (the preset's)", null, counted),
    seed: numberFlag("S", "seed of the random draws", 0, { integer: true, min: 0 }),
    out: textFlag("FOLDER", "where samples.jsonl and results.jsonl go (nowhere)", null),
  } as const;
}

type SittingValues = Values<ReturnType<typeof flagsOf>>;

export const SITTING_COMMANDS = HABITS.map(
  (habit): Command<ReturnType<typeof flagsOf>> => ({
    name: habit.name,
    summary: habit.summary,
    description: `Prints one JSON line: problems, n, pass@k, its curve up to n, 95 % of pass@1 (bootstrap over the problems), errors by type and seconds. With --out also every answer: samples.jsonl (EvalPlus's format and
more), results.jsonl (its verdict) and sitting.json (the settings); an exam's
notebook.json, too: its failed answers by problem and type, also where they are too few to train on. A folder that holds answers of the same settings is gone on with: a
larger -n asks only for those that are missing, a sitting that was stopped for its rest; the files are as one sitting would have
written them. What no flag says is as in a run of --preset, so that \`run --exam\` takes what \`exam --out\` wrote. Answers run in a sandboxed Python in a headless Chromium.

  errata ${habit.name}${habit.name === "exam" ? "" : " --adapter RUN/adapter"} --out ${habit.name.toUpperCase()}`,
    flags: flagsOf(habit),
    run: (values, console) => sitAndCount(habit, values, console),
  }),
);

async function sitAndCount(habit: Habit, values: SittingValues, console: Console): Promise<void> {
  const started = performance.now();
  const manner = mannerOf(habit.name, values);
  const { n } = manner;
  const ks = values.k ?? [1, 5, 10].filter((k) => k <= n);
  const tooLarge = ks.find((k) => k > n);
  if (tooLarge !== undefined)
    throw new InputError(`pass@${tooLarge} needs at least ${tooLarge} answers per problem: raise -n (now ${n}) or leave it out of -k.`);
  const problems = problemsOf(habit.name, values);
  const out = values.out === null ? null : new OutFolder(callerPath(values.out));

  const judging = openJudge(console.progress);
  judging.catch(() => {}); // reported below, after the engine's own message
  const engine = await openEngine(values, console.progress);
  const adapter = await openAdapter(engine, values.adapter);
  const judge = await judging;
  try {
    const student = await lastingStudent(engine, values, console.progress, async (on) => {
      return new EngineStudent(on, on === engine ? adapter : await openAdapter(on, values.adapter));
    });
    const phase: Phase = habit.name === "eval" ? (adapter ? "after" : "before") : habit.name;
    const known = out ? knownAnswers(out, phase, await settingsHere(habit, values, manner, engine, adapter)) : new Map<string, Answer[]>();
    if (out) rewrite(out, problems, known);
    const sitting = { ...manner, stage: habit.stage, phase, seed: values.seed, trained: adapter !== null, stream: habit.stage };
    for (const { missing, of } of whatIsMissing(problems, known, n)) {
      const some = { problems: of, n: missing, first: of.map(() => n - missing) };
      const asked = sit(student, judge, { ...sitting, ...some }, () => performance.now());
      for (const answers of await pull(asked, out, console)) {
        const { task_id } = answers[0]!;
        known.set(task_id, [...(known.get(task_id) ?? []), ...answers]);
      }
    }
    if (out) rewrite(out, problems, known); // in the order in which one sitting would have written it
    const answers = problems.map(({ taskId }) => known.get(taskId)!.slice(0, n));
    if (habit.name === "exam") out?.write("notebook.json", `${JSON.stringify(makeNotebook(answers, "paper", "problem"), null, 2)}\n`);
    console.print(JSON.stringify(summaryOf(answers, ks, n, (performance.now() - started) / 1000)));
  } finally {
    await judge.close();
  }
}

/** What sitting.json says of a sitting. */
export function settingsOf(
  sitting: Habit["name"],
  of: Required<Pick<SittingSettings, "seed" | "split_seed" | "problems_sha256" | "adapter_sha256">>,
  { temperature, maxNewTokens, style, timeoutMs }: Manner,
  model: Pick<Model, "id" | "sha256" | "dtype">,
): SittingSettings {
  return {
    sitting,
    model: model.id,
    model_sha256: model.sha256,
    dtype: model.dtype,
    adapter_sha256: of.adapter_sha256,
    problems_sha256: of.problems_sha256,
    split_seed: of.split_seed,
    seed: of.seed,
    temperature,
    max_new_tokens: maxNewTokens,
    prompt_style: style,
    timeout_ms: timeoutMs,
  };
}

async function settingsHere(habit: Habit, values: SittingValues, manner: Manner, { gpu, model }: Engine, adapter: Adapter | null) {
  const adapter_sha256 = adapter ? checksum(await adapterToFile(gpu, adapter)) : "";
  const of = { seed: values.seed, split_seed: values["split-seed"], problems_sha256: problemsChecksum(values), adapter_sha256 };
  return settingsOf(habit.name, of, manner, model);
}

function checksum({ tensors }: AdapterFile): string {
  const hash = createHash("sha256");
  for (const [name, { data }] of tensors) hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest("hex");
}

/** The answers that an earlier sitting of the same settings left in --out. */
function knownAnswers(out: OutFolder, phase: Phase, settings: SittingSettings): Map<string, Answer[]> {
  const there = readSettings(out.path);
  const different = there ? settingsThatDiffer(there, settings) : [];
  if (different.length > 0) {
    throw new InputError(
      `${out.path} holds a sitting of other settings: ${different.join(", ")}; give the same ones, or name another --out.`,
    );
  }
  const known = there ? readAnswers(out.path, phase) : new Map<string, Answer[]>();
  out.write(SETTINGS_FILE, `${JSON.stringify(settings, null, 2)}\n`);
  return known;
}

/** Writes what is known, problem by problem; problems that are not asked this time come last. */
function rewrite(out: OutFolder, problems: readonly Problem[], known: ReadonlyMap<string, readonly Answer[]>): void {
  const asked = problems.map(({ taskId }) => taskId);
  const others = [...known.keys()].filter((task) => !asked.includes(task));
  const all = [...asked, ...others].flatMap((task) => known.get(task) ?? []);
  out.begin("samples.jsonl", linesOf(all.map(sampleOf)));
  out.begin("results.jsonl", linesOf(all.map(resultOf)));
}

function linesOf(rows: readonly unknown[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
}

/** The problems that lack answers, those that lack equally many together. */
function whatIsMissing(problems: readonly Problem[], known: ReadonlyMap<string, readonly Answer[]>, n: number) {
  const missing = (problem: Problem) => Math.max(0, n - (known.get(problem.taskId)?.length ?? 0));
  const sizes = [...new Set(problems.map(missing))].filter((size) => size > 0);
  return sizes.map((size) => ({ missing: size, of: problems.filter((problem) => missing(problem) === size) }));
}

/** Those of the split that is asked for, else of the habit's; all of a file whose format has one split alone. */
export function problemsOf(habit: Habit["name"], values: Pick<SittingValues, "problems" | "task-ids" | "split" | "split-seed">): Problem[] {
  const { problems: all, oneSplit } = openProblems(values, values["split-seed"]);
  const wanted = values.split ?? (oneSplit ? "all" : HABITS.find(({ name }) => name === habit)!.split);
  const problems = all.filter(({ split }) => wanted === "all" || split === wanted);
  if (problems.length === 0) throw new InputError(`There is no ${wanted} problem in it: name another --split, or all.`);
  return problems;
}

/** Pulls a sitting to its end: answers go to the files, progress to stderr. */
async function pull(
  sitting: AsyncGenerator<RunEvent, Answer[][]>,
  out: OutFolder | null,
  { progress, interrupted }: Console,
): Promise<Answer[][]> {
  for (;;) {
    interrupted.throwIfAborted();
    const { done, value } = await sitting.next();
    if (done) return value;
    if (value.type === "stage") progress.show(`${value.stage}: ${value.done} of ${value.total} answers`);
    if (value.type !== "answer") continue;
    out?.append("samples.jsonl", linesOf([sampleOf(value.answer)]));
    out?.append("results.jsonl", linesOf([resultOf(value.answer)]));
  }
}

/** pass@k for every k up to n, and 95 % of pass@1 by bootstrap over the problems; nothing where the judge failed on every answer. */
function confidenceOf(answers: readonly Answer[][]): Pick<EvaluationResult, "curve" | "interval"> {
  if (answers.flat().every(({ verdict }) => verdict === "infra_error")) return {};
  const { curve, interval } = evaluationResult(answers);
  return { ...(curve && { curve }), ...(interval && { interval }) };
}

function summaryOf(answers: readonly Answer[][], ks: readonly number[], n: number, seconds: number): Record<string, unknown> {
  const judged = answers.map((all) => all.filter(({ verdict }) => verdict !== "infra_error"));
  const infra = answers.flat().length - judged.flat().length;
  const passAt = ks.map((k) => [`pass@${k}`, meanPassAtK(judged, k)]);
  return {
    problems: answers.length,
    n,
    ...Object.fromEntries(passAt),
    ...confidenceOf(answers),
    errors: countErrors(answers.flat()),
    ...(infra > 0 && { infra_errors: infra }),
    seconds: Math.round(seconds * 10) / 10,
  };
}
