// The method's loop: exam, analysis, evaluation before, then correction in turn with quizzes, then evaluation of the best and the
// last checkpoint. It pulls on a student and a judge and tells everything as events; who stops pulling, pauses it.
//
// A run that was killed is played through again from its beginning, with what it had found out (run_state.ts) in place of the work:
// the same code draws the same pairs, tells the same events and writes the same files, until it has caught up. So a stage is resumable
// when whatever it computes with student or judge goes through #sit (under a name of its own) or is noted as an entry, and all the rest
// is a plain function of that, of the config and of random numbers by (seed, stream, index).

import type { Counts } from "../counts.ts";
import { InputError } from "../input_error.ts";
import type { AdapterFile } from "../model/peft.ts";
import type { Judge } from "../python/judge.ts";
import { shuffled, streamOf } from "../random.ts";
import type { Answer, EvaluationResult, Notebook, Phase, Preference, QuizResult, RunEvent, Stage, StepMetrics } from "../records.ts";
import type { Problem, Split } from "../tasks/problem.ts";
import { questionOf } from "../tasks/prompt.ts";
import { withoutLeaks } from "../tasks/split.ts";
import { OBJECTIVES } from "../train/objectives.ts";
import { type ReferenceStore, writeLogps } from "../train/references.ts";
import type { RunConfig } from "./config.ts";
import type { Curriculum, PairDraw } from "./curriculum.ts";
import { evaluationResult, type Gain, gainOf, quizResult } from "./evaluate.ts";
import { displacement, divergence, noLongerImproves, skippedInARow, skippedStep } from "./health.ts";
import { type CodeflowYield, focalPairs, iterPref } from "./iterpref.ts";
import { curriculumOf, hasReplay, quizSteps, totalSteps } from "./methods.ts";
import { makeNotebook } from "./notebook.ts";
import {
  emptyState,
  type Keeper,
  NO_KEEPER,
  type RunCheckpoint,
  type RunFinding,
  type RunState,
  type StepState,
  sittingOf,
} from "./run_state.ts";
import { type JudgedProblem, type Sitting, sit } from "./sit.ts";
import type { Lesson, Student } from "./student.ts";

export interface RunInputs {
  readonly preset: string;
  readonly config: RunConfig;
  /** All problems; the run takes as many of each split as the config says, in this order. */
  readonly problems: readonly Problem[];
  /** Of problems and shared exam, for run.json: a finished run is known by it. */
  readonly problemsChecksum?: string;
  readonly student: Student;
  readonly judge: Judge;
  /** An exam that was sat before, by task, and its seed: it takes the place of the run's own. */
  readonly exam?: { readonly answers: ReadonlyMap<string, readonly Answer[]>; readonly seed: number };
  /** A clock in ms. */
  readonly now: () => number;
  /** Where a run that was stopped goes on: what it had found out, and its student at one of its steps. */
  readonly past?: { readonly state: RunState; readonly checkpoint: RunCheckpoint | null };
  readonly keeper?: Keeper;
}

/** What of a pair the focal loss counts. */
type FocalPart = Pick<Preference, "chosen_mask" | "chosen_focus" | "rejected_mask" | "rejected_focus">;

/** What a run leaves behind, finished or stopped. */
export interface Kept {
  /** run.json */
  run: Record<string, unknown>;
  /** Weights of the best quiz; those of the last step where no quiz was held since training began. */
  best: AdapterFile;
  last: AdapterFile;
}

/** One run. Pull `events()` to the end, or stop pulling and take `kept()`. */
export class Run {
  readonly #inputs: RunInputs;
  readonly #split: Record<Split, Problem[]>;
  /** The problems to train on, by their ids. */
  readonly #training: ReadonlyMap<string, Problem>;
  readonly #leakWarning: string | null;
  readonly #state: RunState;
  readonly #checkpoint: RunCheckpoint | null;
  readonly #keeper: Keeper;
  readonly #results: { before?: EvaluationResult; after?: EvaluationResult; after_last?: EvaluationResult } = {};
  #exam: (EvaluationResult & { seed: number }) | null = null;
  #notebook: Notebook | null = null;
  #totalSteps = 0;
  #steps = 0;
  /** Epochs that the windows slide over; null where there are none. */
  #epochs: number | null = null;
  /** Of the steps so far. */
  readonly #metrics: StepMetrics[] = [];
  readonly #losses: number[] = [];
  #pairs = 0;
  /** Pairs that steps have had so far, by their texts. */
  readonly #met = new Set<string>();
  #tokens = 0;
  /** Operations of the steps, and of the references of their pairs. */
  readonly #flops = { correction: 0, reference: 0 };
  #best: { step: number; passAt1: number; weights: AdapterFile } | null = null;
  /** Weights before the first step. */
  #untrained: AdapterFile | null = null;
  readonly #quizzes: QuizResult[] = [];
  /** Whether it has been said that the chosen answers get less likely. */
  #displaced = false;
  /** Why the run was stopped, in a sentence. */
  #diverged: string | null = null;
  #codeflow: CodeflowYield | null = null;
  #gain: Gain | null = null;
  #before: Answer[][] = [];
  /** Weights of the last step, once correction is over. */
  #last: AdapterFile | null = null;

  constructor(inputs: RunInputs) {
    this.#inputs = inputs;
    this.#state = inputs.past?.state ?? emptyState();
    this.#checkpoint = inputs.past?.checkpoint ?? null;
    this.#keeper = inputs.keeper ?? NO_KEEPER;
    const { config, problems } = inputs;
    const take = (split: Split, limit: number) => {
      const all = problems.filter((problem) => problem.split === split);
      if (all.length === 0)
        throw new InputError(`There is no ${split} problem: a run needs at least one for train, validation and evaluation.`);
      return limit === 0 ? all : all.slice(0, limit);
    };
    const { kept, warning } = withoutLeaks({
      train: take("train", config.training_problems),
      validation: take("validation", config.validation_problems),
      evaluation: take("evaluation", config.evaluation_problems),
    });
    this.#split = kept;
    this.#training = new Map(kept.train.map((problem) => [problem.taskId, problem]));
    this.#leakWarning = warning;
  }

  async *events(): AsyncGenerator<RunEvent> {
    if (this.#leakWarning !== null) yield { type: "warning", message: this.#leakWarning };
    const exam = yield* this.#sitExam();
    const notebook = this.#analyse(exam);
    yield { type: "notebook", notebook };
    if (notebook.problems.length === 0) throw new InputError(nothingLeft(exam.flat()));
    yield* this.#evaluate("before");
    yield* this.#correct(notebook, exam);
    yield* this.#evaluateAfter();
    yield { type: "finished", run: this.#record() };
  }

  /** Optimiser steps taken. */
  get steps(): number {
    return this.#steps;
  }

  /** Whether what was known before the run went on has all been told again. */
  get caughtUp(): boolean {
    return !this.#past();
  }

  /** Why correction was stopped before its end, in a sentence, or null. */
  get diverged(): string | null {
    return this.#diverged;
  }

  get finished(): boolean {
    return this.#results.after_last !== undefined;
  }

  /**
   * What there is so far; not to be called while `events()` is being pulled.
   * @throws InputError while what was known is told again: the student is as it was after a later step
   */
  async kept(): Promise<Kept> {
    if (!this.caughtUp) throw new InputError("The run has not caught up with where it was stopped: go on with it, then take its files.");
    const last = this.#last ?? (await this.#inputs.student.weights());
    return { run: this.#record(), best: this.#best?.weights ?? last, last };
  }

  async *#sitExam(): AsyncGenerator<RunEvent, Answer[][]> {
    const { config } = this.#inputs;
    let stage: Stage = "exam";
    const sitting: Sitting = {
      ...this.#sitting("exam", config.exam_n, config.exam_temperature, config.exam_timeout_ms),
      stage: "exam",
      problems: this.#split.train,
      stream: "exam",
      trained: false,
      judgingStage: "analysis",
      onWritten: () => {
        stage = "analysis"; // its time is what judging takes beyond writing; before that they run side by side
      },
    };
    await this.#takeExam();
    const answers = yield* this.#sit("exam", sitting, () => stage);
    yield* this.#warnOfInfraErrors(answers);
    return answers;
  }

  /** Takes the answers of an exam that was sat before the run, so that none of them is asked again. */
  async #takeExam(): Promise<void> {
    const { config, exam } = this.#inputs;
    const { answers: known } = sittingOf(this.#state, "exam");
    if (!exam) return;
    for (const [problem, { taskId, split }] of this.#split.train.entries()) {
      if (problem < known.length) continue;
      const answers = (exam.answers.get(taskId) ?? []).slice(0, config.exam_n).map((answer) => ({ ...answer, split })); // here, not there
      if (answers.length < config.exam_n) {
        throw new InputError(
          `The exam has ${answers.length} answers to ${taskId}, and the run wants ${config.exam_n}: extend it (errata exam -n ${config.exam_n}), or set exam_n.`,
        );
      }
      await this.#note({ type: "answers", sitting: "exam", problem, answers, flops: 0 });
      known.push(answers);
    }
  }

  #analyse(exam: readonly Answer[][]): Notebook {
    const { config } = this.#inputs;
    this.#exam = { ...evaluationResult(exam), seed: this.#inputs.exam?.seed ?? config.seed };
    const graded = config.shuffle_verdicts ? exam.map((answers) => permuteVerdicts(answers, config.seed)) : exam;
    const notebook = makeNotebook(graded, config.rule, config.scope);
    this.#notebook = notebook;
    return notebook;
  }

  /**
   * Puts a sitting to the student, or what is left of it, and counts its time, pauses left out.
   * @param name unique in the run: what is found out is kept under it
   */
  async *#sit(name: string, sitting: Sitting, stage = () => sitting.stage): AsyncGenerator<RunEvent, Answer[][]> {
    const { student, judge, now } = this.#inputs;
    const { seconds } = this.#state;
    const state = sittingOf(this.#state, name);
    const keep = ({ problem, answers, flops }: JudgedProblem) => this.#note({ type: "answers", sitting: name, problem, answers, flops });
    let since = now();
    const count = () => (seconds[stage()] += (now() - since) / 1000);
    for await (const event of sit(student, judge, sitting, now, { state, keep })) {
      count();
      yield event;
      since = now();
    }
    count();
    return state.answers;
  }

  async *#correct(notebook: Notebook, exam: readonly Answer[][]): AsyncGenerator<RunEvent> {
    const { config, student, now } = this.#inputs;
    this.#totalSteps = totalSteps(config, notebook);
    const curriculum = yield* this.#curriculum(notebook, exam);
    this.#epochs = curriculum.epochs ?? null;
    const betweenQuizzes = quizSteps(config, curriculum.pairsPerEpoch);
    if (curriculum.turns !== undefined && curriculum.turns > this.#totalSteps * config.batch_size) {
      const whole = Math.ceil(curriculum.turns / config.batch_size);
      const message = `steps ${config.steps} ends the run before the windows have gone through all failed answers, which takes ${whole} steps: set steps=0.`;
      yield { type: "warning", message };
    }
    const answers = new Map([...exam.flat(), ...this.#repaired()].map((answer) => [`${answer.task_id} ${answer.sample_index}`, answer]));
    student.begin(config, this.#totalSteps, this.#references());
    this.#untrained = await student.weights();
    if (this.#checkpoint) student.remember(this.#checkpoint.student);
    let quizErrors: Counts | null = null;

    yield* this.#quiz(0);
    const began = now();
    const first = this.#checkpoint?.step ?? 0; // steps before it take no time
    while (this.#steps < this.#totalSteps) {
      yield* this.#step(this.#drawPairs(this.#steps + 1, curriculum, quizErrors, answers));
      const step = this.#steps;
      const quizNow = step % betweenQuizzes === 0 || step === this.#totalSteps;
      await this.#keep(quizNow);
      if (this.#hasDiverged()) return yield { type: "warning", message: this.#diverged! };
      if (quizNow) quizErrors = (yield* this.#quiz(step)).errors;
      if (quizNow) yield* this.#warnOfDisplacement();
      const left = step <= first ? null : ((now() - began) / 1000 / (step - first)) * (this.#totalSteps - step);
      yield { type: "stage", stage: "correction", phase: null, done: step, total: this.#totalSteps, secondsLeft: left };
      if (quizNow && noLongerImproves(this.#quizzes, config.early_stop_quizzes)) {
        yield { type: "warning", message: `Stopped after step ${step}: ${config.early_stop_quizzes} quizzes brought no better result.` };
        return;
      }
    }
  }

  async *#curriculum(notebook: Notebook, exam: readonly Answer[][]): AsyncGenerator<RunEvent, Curriculum> {
    const { config, student, judge } = this.#inputs;
    const { method, seed } = config;
    if (method !== "iterpref") return curriculumOf(method, notebook, { ...config, totalPairs: this.#totalSteps * config.batch_size });
    const sit = (name: string, sitting: Sitting) => this.#sit(name, sitting);
    const { pairs, yields } = yield* focalPairs({ notebook, exam, problems: this.#split.train, config, student, judge, sit });
    this.#codeflow = yields;
    if (pairs.length > 0) return iterPref(notebook.problems, pairs, seed);
    throw new InputError(
      `The model repaired none of ${yields.failures} failed answers, and no pair is left: set codeflow_fallback=true, or take another method.`,
    );
  }

  /** The answers that CodeFlow made. */
  #repaired(): Answer[] {
    return [...this.#state.sittings].flatMap(([name, { answers }]) => (name.startsWith("repair/") ? answers.flat() : []));
  }

  /** Whether the losses show that the learning rate diverges: the best checkpoint is then kept, the untrained one where no quiz was held. */
  #hasDiverged(): boolean {
    const diverged = skippedInARow(this.#metrics) ?? divergence(this.#losses, this.#inputs.config.learning_rate);
    if (diverged === null) return false;
    this.#best ??= { step: 0, passAt1: 0, weights: this.#untrained! };
    this.#diverged = `${diverged} The best checkpoint (of step ${this.#best.step}) is kept.`;
    return true;
  }

  /** Once in a run. */
  *#warnOfDisplacement(): Generator<RunEvent> {
    const { loss_type, beta } = this.#inputs.config;
    if (this.#displaced) return;
    const message = displacement(this.#metrics, beta, OBJECTIVES[loss_type].reference);
    this.#displaced = message !== null;
    if (message !== null) yield { type: "warning", message };
  }

  /** One optimiser step on `pairs`, or what is known of it. */
  async *#step(pairs: Preference[]): AsyncGenerator<RunEvent> {
    const news = pairs.map((pair) => this.#isNew(pair));
    const { metrics, tokens, flops, referenceFlops } = this.#past() ? this.#state.steps[this.#steps]! : await this.#learn(pairs, news);
    this.#steps += 1;
    this.#metrics.push(metrics);
    this.#losses.push(metrics.loss);
    this.#pairs += pairs.length;
    this.#tokens += tokens;
    this.#flops.correction += flops;
    this.#flops.reference += referenceFlops;
    yield { type: "step", steps: this.#totalSteps, metrics, pairs };
    const message = skippedStep(metrics);
    if (message !== null) yield { type: "warning", message };
  }

  /** Whether no step before had the pair: it needs its reference. */
  #isNew({ prompt, chosen, rejected }: Preference): boolean {
    const { size } = this.#met;
    return this.#met.add(JSON.stringify([prompt, chosen, rejected])).size > size;
  }

  /** @param news which of the pairs no step before had */
  async #learn(pairs: Preference[], news: readonly boolean[]): Promise<StepState> {
    const { student, now } = this.#inputs;
    const { seconds, steps } = this.#state;
    const started = now();
    const { tokens, flops, referenceFlops, ...metrics } = await student.learn(pairs);
    const took = (now() - started) / 1000;
    const step = this.#steps + 1;
    const known: StepState = {
      metrics: { step, epoch: pairs.at(-1)!.epoch, ...metrics, tokens_per_second: tokens / took },
      tokens,
      flops,
      referenceFlops: referenceFlops.reduce((sum, operations, i) => sum + (news[i] ? operations : 0), 0),
    };
    const { exam, analysis, evaluation, quiz, correction } = seconds;
    seconds.correction += took;
    seconds.firstStep ??= exam + analysis + evaluation + quiz + correction + took;
    steps.splice(this.#steps, Number.POSITIVE_INFINITY, known);
    await this.#note({ type: "step", ...known });
    return known;
  }

  /** Whether the next step was taken already: the student is as it was after the checkpoint's step. */
  #past(): boolean {
    return this.#checkpoint !== null && this.#steps < this.#checkpoint.step;
  }

  async #keep(must: boolean): Promise<void> {
    const step = this.#steps;
    if (this.#checkpoint && step <= this.#checkpoint.step) return;
    const best = this.#best;
    await this.#keeper.checkpoint(must, async () => ({
      step,
      best: best && { step: best.step, weights: best.weights },
      student: await this.#inputs.student.memory(),
    }));
  }

  /** The pairs of optimiser step `step` (from 1). */
  #drawPairs(step: number, curriculum: Curriculum, quizErrors: Counts | null, answers: ReadonlyMap<string, Answer>): Preference[] {
    const { config } = this.#inputs;
    const batchStart = (step - 1) * config.batch_size;
    const size = Math.min(config.batch_size, (curriculum.turns ?? Number.POSITIVE_INFINITY) - batchStart);
    const moment = { batchStart, quizErrors };
    return Array.from({ length: size }, (_, i) => batchStart + i).flatMap((index) => {
      const replayed = curriculum.replayAt?.(index, moment) ?? null;
      const draws = [curriculum.pairAt(index, moment), ...(replayed ? [replayed] : [])];
      return draws.map((draw) => this.#preference(step, draw.pair ?? index, draw, answers));
    });
  }

  #preference(step: number, pair: number, draw: PairDraw, answers: ReadonlyMap<string, Answer>): Preference {
    const { task_id } = this.#notebook!.problems[draw.problem]!;
    const problem = this.#training.get(task_id)!;
    const chosen = answers.get(`${task_id} ${draw.chosen}`)!;
    const rejected = draw.rejected === null ? null : answers.get(`${task_id} ${draw.rejected}`)!;
    const { prompt } = questionOf(problem, this.#inputs.config.prompt_style, this.#inputs.student.renderChat);
    return {
      step,
      task_id,
      prompt,
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
      width: draw.width,
      seed: this.#inputs.config.seed,
      pair,
      ...(draw.origin && { origin: draw.origin }),
      ...(rejected && this.#masks({ prompt, chosen: chosen.completion, rejected: rejected.completion })),
    };
  }

  /** What the focal loss counts of a pair. */
  #masks(pair: Required<Pick<Lesson, "prompt" | "chosen" | "rejected">>): FocalPart {
    const { config, student } = this.#inputs;
    if (config.loss_type !== "focal") return {};
    const { chosen, rejected, chosenPlaces, rejectedPlaces } = student.compare(pair, config.focal_diff);
    return {
      ...(config.focal_sides === "both" && { chosen_mask: chosen, chosen_focus: chosenPlaces }),
      rejected_mask: rejected,
      rejected_focus: rejectedPlaces,
    };
  }

  async *#quiz(step: number): AsyncGenerator<RunEvent, QuizResult> {
    const { config } = this.#inputs;
    const sitting: Sitting = {
      ...this.#sitting("quiz", config.quiz_n, config.quiz_temperature, config.quiz_timeout_ms),
      stage: "quiz",
      step,
      problems: this.#split.validation,
      stream: "quiz", // the same draws in every quiz: checkpoints differ, luck does not
      trained: step > 0,
    };
    const answers = yield* this.#sit(`quiz/${step}`, sitting);
    const quiz = quizResult(step, answers, config.rule, step > 0 && hasReplay(config.method));
    const best = step > 0 && quiz["pass@1"] > (this.#best?.passAt1 ?? -1); // the quiz before training is only charted
    if (best) this.#best = { step, passAt1: quiz["pass@1"], weights: await this.#weightsNow() };
    this.#quizzes.push(quiz);
    yield { type: "quiz", quiz, best };
    return quiz;
  }

  /** The weights after the step that the run is at. Of a step before the checkpoint's they are only asked for when it was the best. */
  async #weightsNow(): Promise<AdapterFile> {
    if (!this.#past()) return this.#inputs.student.weights();
    const best = this.#checkpoint?.best;
    if (!best) throw new Error(`The checkpoint does not hold the weights of step ${this.#steps}: start the run anew.`);
    return best.weights; // of this step, or of a better one to come that replaces it
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
    const { config } = this.#inputs;
    const sitting: Sitting = {
      ...this.#sitting(phase, config.evaluation_n, config.evaluation_temperature, config.quiz_timeout_ms),
      stage: "evaluation",
      problems: this.#split.evaluation,
      stream: "evaluation", // the same draws before and after
      trained: phase !== "before",
    };
    const answers = yield* this.#sit(phase, sitting);
    yield* this.#warnOfInfraErrors(answers);
    const result = evaluationResult(answers);
    this.#results[phase] = result;
    if (phase === "before") this.#before = answers;
    if (phase === "after") this.#gain = gainOf(this.#before, answers);
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

  /** Keeps an entry with what was spent until then. */
  #note(entry: RunFinding): Promise<void> {
    const state = this.#state;
    state.memoryPeak = Math.max(state.memoryPeak, this.#inputs.student.facts().memoryPeak);
    return this.#keeper.note({ ...entry, seconds: state.seconds, memoryPeak: state.memoryPeak });
  }

  /** What is known of references, and where what comes is kept. */
  #references(): ReferenceStore {
    const { references } = this.#state;
    return {
      get: (key) => references.get(key),
      keep: async (key, logps) => {
        references.set(key, logps);
        await this.#note({ type: "reference", key, ...writeLogps(logps) });
      },
    };
  }

  /** Operations by what they were for: a function of answers and pairs, whatever was stopped, lost or computed again meanwhile. */
  #flopsByStage(): Record<string, number> {
    const sat = { exam: 0, repair: 0, quiz: 0, evaluation: 0 };
    for (const [name, { flops }] of this.#state.sittings) sat[kindOf(name)] += flops;
    return { ...sat, ...this.#flops };
  }

  /** run.json */
  #record(): Record<string, unknown> {
    const { preset, config, problemsChecksum, student } = this.#inputs;
    const flopsByStage = this.#flopsByStage();
    const facts = student.facts();
    return {
      method: config.method,
      preset,
      seed: config.seed,
      split_seed: config.split_seed,
      config,
      ...(problemsChecksum !== undefined && { problems: problemsChecksum }),
      ...facts,
      memoryPeak: Math.max(this.#state.memoryPeak, facts.memoryPeak),
      flops: Object.values(flopsByStage).reduce((sum, flops) => sum + flops, 0),
      flopsByStage,
      exam: this.#exam,
      ...this.#results,
      ...(this.#gain && { gain: this.#gain }),
      ...(this.#diverged !== null && { diverged: this.#diverged }),
      ...(this.#codeflow && { codeflow: this.#codeflow }),
      steps: this.#steps,
      totalSteps: this.#totalSteps,
      ...(this.#epochs !== null && { epochs: this.#epochs }),
      finished: this.finished,
      pairs: this.#pairs,
      tokens: this.#tokens,
      bestStep: this.#best?.step ?? this.#steps,
      seconds: this.#state.seconds,
    };
  }
}

/** What the sitting of a name ("quiz/12", "before") is part of. */
function kindOf(name: string): "exam" | "repair" | "quiz" | "evaluation" {
  const [kind] = name.split("/");
  return kind === "exam" || kind === "repair" || kind === "quiz" ? kind : "evaluation";
}

function nothingLeft(answers: readonly Answer[]): string {
  const passed = answers.filter(({ verdict }) => verdict === "pass").length;
  const needed = "and a problem needs passed and failed ones (notebook.json says of each why it was left out)";
  return `The exam left no problem to train on: ${passed} of ${answers.length} answers passed, ${needed}; ask for more answers (exam_n) or other problems.`;
}

/** The control: a problem's verdicts dealt out anew among its answers. */
function permuteVerdicts(answers: readonly Answer[], seed: number): Answer[] {
  const dealt = shuffled(answers, seed, streamOf(`shuffle_verdicts/${answers[0]?.task_id}`));
  return answers.map((answer, i) => {
    const { verdict, error_type, error_label, line, message, expected, got } = dealt[i]!;
    return { ...answer, verdict, error_type, error_label, line, message, expected, got };
  });
}
