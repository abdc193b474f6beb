// The method's loop: exam, analysis, evaluation before, then correction in turn with quizzes, then evaluation of the best and the
// last checkpoint. It pulls on a student and a judge and tells everything as events; who stops pulling, pauses it.

import { InputError } from "../input_error.ts";
import type { AdapterFile } from "../model/peft.ts";
import type { Judge } from "../python/judge.ts";
import { shuffled, streamOf } from "../random.ts";
import type { Answer, EvaluationResult, Notebook, Phase, Preference, QuizResult, RunEvent, StepMetrics } from "../records.ts";
import type { Problem, Split } from "../tasks/problem.ts";
import { questionOf } from "../tasks/prompt.ts";
import type { RunConfig } from "./config.ts";
import type { Curriculum, PairDraw } from "./curriculum.ts";
import { evaluationResult, quizResult } from "./evaluate.ts";
import { curriculumOf, hasReplay } from "./methods.ts";
import { type Counts, makeNotebook } from "./notebook.ts";
import { type Sitting, sit } from "./sit.ts";
import type { Student } from "./student.ts";

export interface RunInputs {
  readonly preset: string;
  readonly config: RunConfig;
  /** All problems; the run takes as many of each split as the config says, in this order. */
  readonly problems: readonly Problem[];
  readonly student: Student;
  readonly judge: Judge;
  /** A clock in ms. */
  readonly now: () => number;
}

/** What a run leaves behind, finished or stopped. */
export interface Kept {
  /** run.json */
  run: Record<string, unknown>;
  /** Weights of the best quiz; those of the last step where no quiz was held since training began. */
  best: AdapterFile;
  last: AdapterFile;
}

interface Seconds {
  exam: number;
  analysis: number;
  correction: number;
  quiz: number;
  evaluation: number;
  /** From the start of the run to the end of its first optimiser step; null before that. */
  firstStep: number | null;
}

/** One run. Pull `events()` to the end, or stop pulling and take `kept()`. */
export class Run {
  readonly #inputs: RunInputs;
  readonly #split: Record<Split, Problem[]>;
  readonly #seconds: Seconds = { exam: 0, analysis: 0, correction: 0, quiz: 0, evaluation: 0, firstStep: null };
  readonly #results: { before?: EvaluationResult; after?: EvaluationResult; after_last?: EvaluationResult } = {};
  #exam: EvaluationResult | null = null;
  #notebook: Notebook | null = null;
  #totalSteps = 0;
  #steps = 0;
  #pairs = 0;
  #tokens = 0;
  #best: { step: number; passAt1: number; weights: AdapterFile } | null = null;
  /** Weights of the last step, once correction is over. */
  #last: AdapterFile | null = null;

  constructor(inputs: RunInputs) {
    this.#inputs = inputs;
    const { config, problems } = inputs;
    const take = (split: Split, limit: number) => {
      const all = problems.filter((problem) => problem.split === split);
      if (all.length === 0)
        throw new InputError(`There is no ${split} problem: a run needs at least one for train, validation and evaluation.`);
      return limit === 0 ? all : all.slice(0, limit);
    };
    this.#split = {
      train: take("train", config.training_problems),
      validation: take("validation", config.validation_problems),
      evaluation: take("evaluation", config.evaluation_problems),
    };
  }

  async *events(): AsyncGenerator<RunEvent> {
    const started = this.#inputs.now();
    const exam = yield* this.#sitExam();
    const notebook = this.#analyse(exam);
    yield { type: "notebook", notebook };
    yield* this.#evaluate("before");
    yield* this.#correct(notebook, exam, started);
    yield* this.#evaluateAfter();
    yield { type: "finished", run: this.#record() };
  }

  /** Optimiser steps taken. */
  get steps(): number {
    return this.#steps;
  }

  /** What there is so far; not to be called while `events()` is being pulled. */
  async kept(): Promise<Kept> {
    const last = this.#last ?? (await this.#inputs.student.weights());
    return { run: this.#record(), best: this.#best?.weights ?? last, last };
  }

  async *#sitExam(): AsyncGenerator<RunEvent, Answer[][]> {
    const { config, now } = this.#inputs;
    const started = now();
    let written = started;
    const sitting: Sitting = {
      ...this.#sitting("exam", config.exam_n, config.exam_temperature, config.exam_timeout_ms),
      stage: "exam",
      problems: this.#split.train,
      stream: "exam",
      trained: false,
      judgingStage: "analysis",
      onWritten: () => {
        written = now();
      },
    };
    const answers = yield* sit(this.#inputs.student, this.#inputs.judge, sitting, now);
    this.#seconds.exam = (written - started) / 1000;
    this.#seconds.analysis = this.#since(written); // what judging took beyond writing; before that they ran side by side
    yield* this.#warnOfInfraErrors(answers);
    return answers;
  }

  #analyse(exam: readonly Answer[][]): Notebook {
    const { config } = this.#inputs;
    this.#exam = evaluationResult(exam);
    const graded = config.shuffle_verdicts ? exam.map((answers) => permuteVerdicts(answers, config.seed)) : exam;
    const notebook = makeNotebook(graded, config.rule, config.scope);
    this.#notebook = notebook;
    if (notebook.problems.length > 0) return notebook;
    const passed = exam.flat().filter(({ verdict }) => verdict === "pass").length;
    throw new InputError(
      `The exam left no problem to train on: ${passed} of ${exam.flat().length} answers passed, and a problem needs passed and failed ones; ask for more answers (exam_n) or other problems.`,
    );
  }

  async *#correct(notebook: Notebook, exam: readonly Answer[][], started: number): AsyncGenerator<RunEvent> {
    const { config, student, now } = this.#inputs;
    const perEpoch = notebook.problems.length;
    this.#totalSteps = totalSteps(config, perEpoch);
    const curriculum = curriculumOf(config.method, notebook, { ...config, totalPairs: this.#totalSteps * config.batch_size });
    const quizSteps = config.quiz_steps || Math.max(1, Math.round(curriculum.pairsPerEpoch / config.batch_size));
    const answers = new Map(exam.flat().map((answer) => [`${answer.task_id} ${answer.sample_index}`, answer]));
    student.begin(config, this.#totalSteps);
    let quizErrors: Counts | null = null;

    yield* this.#quiz(0);
    const began = now();
    while (this.#steps < this.#totalSteps) {
      yield* this.#step(this.#drawPairs(this.#steps + 1, curriculum, quizErrors, answers), started);
      const step = this.#steps;
      if (step % quizSteps === 0 || step === this.#totalSteps) quizErrors = (yield* this.#quiz(step)).errors;
      const left = ((now() - began) / 1000 / step) * (this.#totalSteps - step);
      yield { type: "stage", stage: "correction", phase: null, done: step, total: this.#totalSteps, secondsLeft: left };
    }
  }

  /** One optimiser step on `pairs`; `started` is when the run began. */
  async *#step(pairs: Preference[], started: number): AsyncGenerator<RunEvent> {
    const { student, now } = this.#inputs;
    const before = now();
    const { tokens, ...metrics } = await student.learn(pairs);
    const seconds = this.#since(before);
    this.#steps += 1;
    this.#pairs += pairs.length;
    this.#tokens += tokens;
    this.#seconds.correction += seconds;
    this.#seconds.firstStep ??= this.#since(started);
    const step: StepMetrics = { step: this.#steps, epoch: pairs.at(-1)!.epoch, ...metrics, tokens_per_second: tokens / seconds };
    yield { type: "step", steps: this.#totalSteps, metrics: step, pairs };
    if (Number.isFinite(metrics.loss) && Number.isFinite(metrics.grad_norm)) return;
    const message = `Step ${this.#steps} gave no finite loss or gradient and changed nothing; a lower learning rate may help.`;
    yield { type: "warning", message };
  }

  /** The pairs of optimiser step `step` (from 1). */
  #drawPairs(step: number, curriculum: Curriculum, quizErrors: Counts | null, answers: ReadonlyMap<string, Answer>): Preference[] {
    const { config } = this.#inputs;
    const batchStart = (step - 1) * config.batch_size;
    return Array.from({ length: config.batch_size }, (_, i) => {
      const draw = curriculum.pairAt(batchStart + i, { batchStart, quizErrors });
      return this.#preference(step, draw, answers);
    });
  }

  #preference(step: number, draw: PairDraw, answers: ReadonlyMap<string, Answer>): Preference {
    const { task_id } = this.#notebook!.problems[draw.problem]!;
    const problem = this.#split.train.find(({ taskId }) => taskId === task_id)!;
    const chosen = answers.get(`${task_id} ${draw.chosen}`)!;
    const rejected = draw.rejected === null ? null : answers.get(`${task_id} ${draw.rejected}`)!;
    return {
      step,
      task_id,
      prompt: questionOf(problem, this.#inputs.config.prompt_style, this.#inputs.student.renderChat).prompt,
      chosen: chosen.completion,
      ...(rejected && { rejected: rejected.completion }),
      chosen_index: draw.chosen,
      ...(rejected && { rejected_index: rejected.sample_index }),
      chosen_ended: chosen.ended,
      ...(rejected && { rejected_ended: rejected.ended }),
      error_type: draw.error_type,
      epoch: draw.epoch,
      window: [draw.window[0], draw.window[1]],
      source: draw.source,
      probability: draw.probability,
    };
  }

  async *#quiz(step: number): AsyncGenerator<RunEvent, QuizResult> {
    const { config, student, now } = this.#inputs;
    const started = now();
    const answers = yield* sit(
      student,
      this.#inputs.judge,
      {
        ...this.#sitting("quiz", config.quiz_n, config.quiz_temperature, config.quiz_timeout_ms),
        stage: "quiz",
        problems: this.#split.validation,
        stream: "quiz", // the same draws in every quiz: checkpoints differ, luck does not
        trained: step > 0,
      },
      now,
    );
    const quiz = quizResult(step, answers, step > 0 && hasReplay(config.method));
    const best = step > 0 && quiz["pass@1"] > (this.#best?.passAt1 ?? -1); // the quiz before training is only charted
    if (best) this.#best = { step, passAt1: quiz["pass@1"], weights: await student.weights() };
    this.#seconds.quiz += this.#since(started);
    yield { type: "quiz", quiz, best };
    return quiz;
  }

  async *#evaluateAfter(): AsyncGenerator<RunEvent> {
    const { student } = this.#inputs;
    const last = await student.weights();
    this.#last = last;
    const best = this.#best;
    if (best) student.recall(best.weights);
    const answers = yield* this.#evaluate("after");
    if (best && best.step < this.#steps) {
      student.recall(last);
      yield* this.#evaluate("after_last");
      student.recall(best.weights); // who asks the student after the run, asks the best
      return;
    }
    // The last checkpoint is the best: the same weights and the same draws give the same answers.
    for (const answer of answers.flat()) yield { type: "answer", answer: { ...answer, phase: "after_last" } };
    this.#results.after_last = this.#results.after!;
    yield { type: "evaluation", phase: "after_last", result: this.#results.after_last };
  }

  async *#evaluate(phase: "before" | "after" | "after_last"): AsyncGenerator<RunEvent, Answer[][]> {
    const { config, student, now } = this.#inputs;
    const started = now();
    const sitting: Sitting = {
      ...this.#sitting(phase, config.evaluation_n, config.evaluation_temperature, config.quiz_timeout_ms),
      stage: "evaluation",
      problems: this.#split.evaluation,
      stream: "evaluation", // the same draws before and after
      trained: phase !== "before",
    };
    const answers = yield* sit(student, this.#inputs.judge, sitting, now);
    yield* this.#warnOfInfraErrors(answers);
    const result = evaluationResult(answers);
    this.#results[phase] = result;
    this.#seconds.evaluation += this.#since(started);
    yield { type: "evaluation", phase, result };
    return answers;
  }

  #sitting(phase: Phase, n: number, temperature: number, timeoutMs: number) {
    const { config } = this.#inputs;
    return { phase, n, temperature, timeoutMs, style: config.prompt_style, maxNewTokens: config.max_new_tokens, seed: config.seed };
  }

  *#warnOfInfraErrors(answers: readonly Answer[][]): Generator<RunEvent> {
    const failed = answers.flat().filter(({ verdict }) => verdict === "infra_error").length;
    if (failed > 0) yield { type: "warning", message: `${failed} answers could not be judged (the sandbox failed) and are left out.` };
  }

  #since(start: number): number {
    return (this.#inputs.now() - start) / 1000;
  }

  /** run.json */
  #record(): Record<string, unknown> {
    const { preset, config, student } = this.#inputs;
    return {
      method: config.method,
      preset,
      seed: config.seed,
      config,
      ...student.facts(),
      exam: this.#exam,
      ...this.#results,
      steps: this.#steps,
      totalSteps: this.#totalSteps,
      finished: this.#results.after_last !== undefined,
      pairs: this.#pairs,
      tokens: this.#tokens,
      bestStep: this.#best?.step ?? this.#steps,
      seconds: this.#seconds,
    };
  }
}

/** Optimiser steps of a run over `problems` problems. */
function totalSteps({ steps, epochs, batch_size }: RunConfig, problems: number): number {
  return steps > 0 ? steps : Math.ceil((epochs * problems) / batch_size);
}

/** The control: a problem's verdicts dealt out anew among its answers. */
function permuteVerdicts(answers: readonly Answer[], seed: number): Answer[] {
  const dealt = shuffled(answers, seed, streamOf(`shuffle_verdicts/${answers[0]?.task_id}`));
  return answers.map((answer, i) => {
    const { verdict, error_type, error_label, line, message, expected, got } = dealt[i]!;
    return { ...answer, verdict, error_type, error_label, line, message, expected, got };
  });
}
