// What the page knows of a run: a fold over the engine's events. Mutated in place, because exams send thousands of answers;
// who draws it watches a revision number (session.ts).
import { addCount, countOf } from "../counts.ts";
import type {
  Answer,
  EvaluationResult,
  Notebook,
  NotebookProblem,
  Phase,
  Preference,
  QuizResult,
  RunEvent,
  Stage,
  StepMetrics,
} from "../records.ts";

/** The six places of the loop strip: four stations and the evaluations at both ends. */
export type Station = "before" | "exam" | "analysis" | "correction" | "quiz" | "after";

export interface Progress {
  done: number;
  total: number;
  secondsLeft: number | null;
  /** Units per second since this station was last entered; null until something is measured. */
  rate: number | null;
  /** How often the station was entered. */
  rounds: number;
  /** Where and when (ms) the station was last entered. */
  enteredDone: number;
  enteredMs: number;
}

export interface RunState {
  station: Station | null;
  progress: Partial<Record<Station, Progress>>;
  /** Answers by phase, then by problem, in the order in which they came. */
  answers: Partial<Record<Phase, Map<string, Answer[]>>>;
  /** Failed answers by raw error type, per phase. */
  errorCounts: Partial<Record<Phase, Record<string, number>>>;
  judged: Partial<Record<Phase, { passed: number; total: number }>>;
  notebook: Notebook | null;
  notebookByTask: Map<string, NotebookProblem>;
  steps: StepMetrics[];
  /** Trained pairs by problem, newest first. */
  pairs: Map<string, Preference[]>;
  quizzes: QuizResult[];
  bestStep: number | null;
  evaluations: Partial<Record<"before" | "after" | "after_last", EvaluationResult>>;
  warnings: string[];
  /** Content of run.json once the run has finished. */
  finished: Record<string, unknown> | null;
}

/** An empty run. */
export function emptyRun(): RunState {
  return {
    station: null,
    progress: {},
    answers: {},
    errorCounts: {},
    judged: {},
    notebook: null,
    notebookByTask: new Map(),
    steps: [],
    pairs: new Map(),
    quizzes: [],
    bestStep: null,
    evaluations: {},
    warnings: [],
    finished: null,
  };
}

/** The station at which a stage is drawn: evaluations stand at the ends of the strip. */
export function stationOf(stage: Stage, phase: Phase | null): Station {
  if (stage !== "evaluation") return stage;
  return phase === "before" ? "before" : "after";
}

/** Moves a station on; `entered` begins a new round of it, from which its rate is measured. */
function advance(
  run: RunState,
  station: Station,
  count: Pick<Progress, "done" | "total" | "secondsLeft">,
  entered: boolean,
  nowMs: number,
): void {
  const last = run.progress[station];
  const { done, total } = count;
  const enteredDone = entered || !last ? done : last.enteredDone;
  const enteredMs = entered || !last ? nowMs : last.enteredMs;
  const seconds = (nowMs - enteredMs) / 1000;
  const measured = seconds > 0.2 && done > enteredDone ? (done - enteredDone) / seconds : null;
  const rate = measured ?? last?.rate ?? null;
  const secondsLeft = count.secondsLeft ?? (rate ? (total - done) / rate : null);
  const rounds = (last?.rounds ?? 0) + (entered ? 1 : 0);
  run.progress[station] = { done, total, secondsLeft, rate, rounds, enteredDone, enteredMs };
}

function applyStage(run: RunState, event: Extract<RunEvent, { type: "stage" }>, nowMs: number): void {
  const station = stationOf(event.stage, event.phase);
  const last = run.progress[station];
  // Exam and analysis run side by side, so that their events alternate without either being entered anew.
  const sameRound = run.station === station || station === "exam" || station === "analysis";
  advance(run, station, event, !last || event.done < last.done || !sameRound, nowMs);
  run.station = station === "exam" || station === "analysis" ? examStation(run) : station;
}

/** Once all answers are written, what is left of the exam is analysis. */
function examStation({ progress: { exam } }: RunState): Station {
  return exam && exam.done < exam.total ? "exam" : "analysis";
}

function applyStep(run: RunState, event: Extract<RunEvent, { type: "step" }>, nowMs: number): void {
  run.steps.push(event.metrics);
  for (const pair of event.pairs) {
    const pairs = run.pairs.get(pair.task_id);
    if (pairs) pairs.unshift(pair);
    else run.pairs.set(pair.task_id, [pair]);
  }
  const count = { done: event.metrics.step, total: event.steps, secondsLeft: run.progress.correction?.secondsLeft ?? null };
  advance(run, "correction", count, run.station !== "correction", nowMs);
  run.station = "correction";
}

function applyQuiz(run: RunState, event: Extract<RunEvent, { type: "quiz" }>): void {
  run.quizzes.push(event.quiz);
  if (event.best) run.bestStep = event.quiz.step;
  const { correction } = run.progress;
  if (!correction || correction.done < correction.total) run.station = "correction"; // its next step tells nothing until it is done
}

/** Forgets the time that passed in a pause, so that rates stay true. */
export function restartClock(run: RunState, nowMs: number): void {
  const progress = run.station ? run.progress[run.station] : undefined;
  if (!progress) return;
  progress.enteredDone = progress.done;
  progress.enteredMs = nowMs;
}

function applyAnswer(run: RunState, answer: Answer): void {
  const byTask = (run.answers[answer.phase] ??= new Map());
  const answers = byTask.get(answer.task_id);
  if (answers) answers.push(answer);
  else byTask.set(answer.task_id, [answer]);
  const judged = (run.judged[answer.phase] ??= { passed: 0, total: 0 });
  judged.total += 1;
  if (answer.error_type === "") {
    if (answer.verdict === "pass") judged.passed += 1;
    return;
  }
  const counts = (run.errorCounts[answer.phase] ??= {});
  addCount(counts, answer.error_type);
}

/**
 * Takes one event into the run.
 * @param nowMs a clock in ms, for rates
 */
export function applyEvent(run: RunState, event: RunEvent, nowMs: number): void {
  switch (event.type) {
    case "stage":
      applyStage(run, event, nowMs);
      return;
    case "answer":
      applyAnswer(run, event.answer);
      return;
    case "notebook":
      run.notebook = event.notebook;
      run.notebookByTask = new Map(event.notebook.problems.map((problem) => [problem.task_id, problem]));
      return;
    case "step":
      applyStep(run, event, nowMs);
      return;
    case "quiz":
      applyQuiz(run, event);
      return;
    case "evaluation":
      run.evaluations[event.phase] = event.result;
      return;
    case "warning":
      run.warnings.push(event.message);
      return;
    case "finished":
      run.finished = event.run;
      run.station = null;
      return;
    default:
      event satisfies never;
  }
}

export interface ErrorComparison {
  /** What was counted, for the caption. */
  source: "exam" | "quiz" | "evaluation";
  before: Record<string, number>;
  now: Record<string, number> | null;
  passBefore: number | null;
  passNow: number | null;
  /** Optimiser step of the `now` figures, where they belong to one. */
  step: number | null;
}

/** The comparisons that the run's data allows, the most telling one last. */
export function errorComparisons(run: RunState): ErrorComparison[] {
  const all: ErrorComparison[] = [];
  const judged = run.judged.exam;
  if (judged && judged.total > 0) {
    const passed = judged.passed / judged.total;
    all.push({ source: "exam", before: run.errorCounts.exam ?? {}, now: null, passBefore: passed, passNow: null, step: null });
  }
  const first = run.quizzes[0];
  const last = run.quizzes.at(-1);
  if (first && last) {
    const moved = run.quizzes.length > 1;
    const now = moved ? { now: last.errors, passNow: last["pass@1"], step: last.step } : { now: null, passNow: null, step: null };
    all.push({ source: "quiz", before: first.errors, passBefore: first["pass@1"], ...now });
  }
  const { before, after } = run.evaluations;
  if (before) {
    const comparison: ErrorComparison = {
      source: "evaluation",
      before: before.errors,
      now: after?.errors ?? null,
      passBefore: before["pass@1"],
      passNow: after?.["pass@1"] ?? null,
      step: after ? run.bestStep : null,
    };
    if (after) all.push(comparison);
    else all.unshift(comparison);
  }
  return all;
}

/** Error types of one or two counts, the most frequent (before, then now) first. */
export function orderTypes(before: Record<string, number>, now: Record<string, number> | null): string[] {
  const types = [...new Set([...Object.keys(before), ...Object.keys(now ?? {})])];
  const weight = (type: string) => countOf(before, type) + countOf(now ?? {}, type) / 1000;
  return types.filter((type) => weight(type) > 0).sort((a, b) => weight(b) - weight(a));
}
