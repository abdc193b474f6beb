// errata exam, quiz and eval: the same sitting with different habits. Samples, judges, counts.
import { EngineStudent } from "../ap2o/engine_student.ts";
import { meanPassAtK } from "../ap2o/evaluate.ts";
import { countErrors } from "../ap2o/notebook.ts";
import { resultOf, sampleOf } from "../ap2o/run_files.ts";
import { sit } from "../ap2o/sit.ts";
import { InputError } from "../input_error.ts";
import type { Answer, Phase, RunEvent, Stage } from "../records.ts";
import type { Problem } from "../tasks/problem.ts";
import { PROMPT_STYLES } from "../tasks/prompt.ts";
import type { Command, Console } from "./command.ts";
import { choiceFlag, listFlag, numberFlag, readNumber, textFlag, type Values } from "./flags.ts";
import { ADAPTER_FLAG, MODEL_FLAGS, openAdapter, openEngine, openJudge, openProblems, PROBLEM_FLAGS } from "./open.ts";
import { OutFolder } from "./out_folder.ts";
import { callerPath } from "./paths.ts";

const SPLITS = ["train", "validation", "evaluation", "all"] as const;

interface Habit {
  readonly name: "exam" | "quiz" | "eval";
  readonly summary: string;
  readonly stage: Stage;
  readonly split: (typeof SPLITS)[number];
  readonly n: number;
  readonly temperature: number;
  readonly timeoutMs: number;
}

const HABITS: readonly Habit[] = [
  {
    name: "exam",
    summary: "many answers to the training problems, judged",
    stage: "exam",
    split: "train",
    n: 32,
    temperature: 1,
    timeoutMs: 1000,
  },
  {
    name: "quiz",
    summary: "one greedy answer to each validation problem, judged",
    stage: "quiz",
    split: "validation",
    n: 1,
    temperature: 0,
    timeoutMs: 3000,
  },
  {
    name: "eval",
    summary: "pass@k on the evaluation problems",
    stage: "evaluation",
    split: "evaluation",
    n: 10,
    temperature: 0.6,
    timeoutMs: 3000,
  },
];

const counted = { integer: true, min: 1 } as const;

function flagsOf(habit: Habit) {
  return {
    ...MODEL_FLAGS,
    ...ADAPTER_FLAG,
    ...PROBLEM_FLAGS,
    split: choiceFlag(SPLITS, "which problems", habit.split),
    n: numberFlag("N", "answers per problem", habit.n, counted, { short: "n" }),
    k: listFlag("1,5,10", "pass@k for these k (those of 1, 5, 10 that n allows)", null, (text, flag) => readNumber(text, flag, counted), {
      short: "k",
    }),
    temperature: numberFlag("T", "0 is greedy", habit.temperature, { min: 0 }),
    "max-new-tokens": numberFlag("M", "tokens per answer at most", 110, counted),
    "prompt-style": choiceFlag(PROMPT_STYLES, "how problems are put to the model", "raw"),
    "timeout-ms": numberFlag("MS", "time for one program with all its tests", habit.timeoutMs, counted),
    seed: numberFlag("S", "seed of the random draws (and of the splits of files that name none)", 0, { integer: true, min: 0 }),
    out: textFlag("FOLDER", "where samples.jsonl and results.jsonl go (nowhere)", null),
  } as const;
}

type SittingValues = Values<ReturnType<typeof flagsOf>>;

export const SITTING_COMMANDS = HABITS.map(
  (habit): Command<ReturnType<typeof flagsOf>> => ({
    name: habit.name,
    summary: habit.summary,
    description: `Prints one JSON line: problems, n, pass@k, errors by type and seconds. With --out also every answer: samples.jsonl (EvalPlus's format and
more) and results.jsonl (its verdict). Answers run in a sandboxed Python in a headless Chromium.

  errata ${habit.name} --adapter OUT/adapter -n ${habit.n} --out ${habit.name.toUpperCase()}`,
    flags: flagsOf(habit),
    run: (values, console) => sitAndCount(habit, values, console),
  }),
);

async function sitAndCount(habit: Habit, values: SittingValues, console: Console): Promise<void> {
  const started = performance.now();
  const { n } = values;
  const ks = values.k ?? [1, 5, 10].filter((k) => k <= n);
  const tooLarge = ks.find((k) => k > n);
  if (tooLarge !== undefined)
    throw new InputError(`pass@${tooLarge} needs at least ${tooLarge} answers per problem: raise -n (now ${n}) or leave it out of -k.`);
  const problems = problemsOf(values);
  const out = values.out === null ? null : new OutFolder(callerPath(values.out));
  out?.remove("samples.jsonl", "results.jsonl");

  const judging = openJudge(console.progress);
  judging.catch(() => {}); // reported below, after the engine's own message
  const engine = await openEngine(values, console.progress);
  const adapter = await openAdapter(engine, values.adapter);
  const judge = await judging;
  try {
    const student = new EngineStudent(engine, adapter);
    const phase: Phase = habit.name === "eval" ? (adapter ? "after" : "before") : habit.name;
    const { temperature, seed } = values;
    const sitting = { stage: habit.stage, phase, problems, n, temperature, seed, trained: adapter !== null, stream: habit.stage };
    const manner = { style: values["prompt-style"], maxNewTokens: values["max-new-tokens"], timeoutMs: values["timeout-ms"] };
    const answers = await pull(
      sit(student, judge, { ...sitting, ...manner }, () => performance.now()),
      out,
      console,
    );
    console.print(JSON.stringify(summaryOf(answers, ks, n, (performance.now() - started) / 1000)));
  } finally {
    await judge.close();
  }
}

function problemsOf(values: SittingValues): Problem[] {
  const problems = openProblems(values, values.seed).filter(({ split }) => values.split === "all" || split === values.split);
  if (problems.length === 0) throw new InputError(`There is no ${values.split} problem in it: name another --split, or all.`);
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
    out?.append("samples.jsonl", `${JSON.stringify(sampleOf(value.answer))}\n`);
    out?.append("results.jsonl", `${JSON.stringify(resultOf(value.answer))}\n`);
  }
}

function summaryOf(answers: readonly Answer[][], ks: readonly number[], n: number, seconds: number): Record<string, unknown> {
  const judged = answers.map((all) => all.filter(({ verdict }) => verdict !== "infra_error"));
  const infra = answers.flat().length - judged.flat().length;
  const passAt = ks.map((k) => [`pass@${k}`, meanPassAtK(judged, k)]);
  return {
    problems: answers.length,
    n,
    ...Object.fromEntries(passAt),
    errors: countErrors(answers.flat()),
    ...(infra > 0 && { infra_errors: infra }),
    seconds: Math.round(seconds * 10) / 10,
  };
}
