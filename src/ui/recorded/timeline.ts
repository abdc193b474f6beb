// A run that is over, as the events that it told while it went on: what draws the live run draws this one, too.
import type { Answer, Phase, QuizResult, RunEvent, Stage } from "../../records.ts";
import { evaluationOf, type RunArchive } from "./run_archive.ts";

export interface TimedEvent {
  event: RunEvent;
  /** When it is played, at normal speed. */
  atMs: number;
  /** When it happened in the run itself, as far as its files tell: by the means of its stages. */
  ranMs: number;
}

/** How long each part is played: long enough to be followed, whatever the run took. */
const PLAYED_MS = { exam: 8000, evaluation: 2500, step: 300, quiz: 700, correctionAtMost: 45_000 };
/** A stage moves on in so many pieces. */
const PIECES = 60;

/** Collects events on two clocks. */
class Clock {
  readonly events: TimedEvent[] = [];
  private atMs = 0;
  private ranMs = 0;

  tell(...events: RunEvent[]): void {
    for (const event of events) this.events.push({ event, atMs: this.atMs, ranMs: this.ranMs });
  }
  pass(playedMs: number, ranMs: number): void {
    this.atMs += playedMs;
    this.ranMs += ranMs;
  }
}

function pieces<T>(all: readonly T[]): T[][] {
  const size = Math.max(1, Math.ceil(all.length / PIECES));
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size));
}

function stage(name: Stage, phase: Phase | null, done: number, total: number): RunEvent {
  return { type: "stage", stage: name, phase, done, total, secondsLeft: null };
}

function tellAnswers(clock: Clock, answers: readonly Answer[], phase: "exam" | "before" | "after", playedMs: number, ranMs: number): void {
  const total = answers.length;
  const name: Stage = phase === "exam" ? "exam" : "evaluation";
  const parts = pieces(answers);
  let judged = 0;
  clock.tell(stage(name, phase, 0, total));
  for (const part of parts) {
    const written = Math.min(total, judged + 2 * part.length); // judging follows writing
    judged += part.length;
    clock.pass(playedMs / parts.length, ranMs / parts.length);
    clock.tell(stage(name, phase, phase === "exam" ? written : judged, total));
    clock.tell(...part.map((answer): RunEvent => ({ type: "answer", answer })));
    if (phase === "exam") clock.tell(stage("analysis", phase, judged, total));
  }
}

/** Answers of one quiz, as far as run.json tells: a run of the first version has none of them in its files. */
function quizSize({ record, quizzes }: RunArchive): number {
  const first = quizzes.find((quiz) => quiz["pass@1"] < 1);
  if (!first) return Number(record.config.quiz_n) || 1;
  const failed = Object.values(first.errors).reduce((sum, count) => sum + count, 0);
  return Math.max(1, Math.round(failed / (1 - first["pass@1"])));
}

/** @param answers the quiz's, as far as the run's files have them */
function tellQuiz(clock: Clock, quiz: QuizResult, answers: readonly Answer[], size: number, best: boolean, ranMs: number): void {
  for (let quarter = 0; quarter <= 4; quarter++) {
    const done = (part: number) => Math.round((size * part) / 4);
    clock.tell(...answers.slice(done(quarter - 1), done(quarter)).map((answer): RunEvent => ({ type: "answer", answer })));
    clock.tell(stage("quiz", "quiz", done(quarter), size));
    clock.pass(PLAYED_MS.quiz / 5, ranMs / 5);
  }
  clock.tell({ type: "quiz", quiz, best });
}

function groupedBy<T>(rows: readonly T[], stepOf: (row: T) => number): Map<number, T[]> {
  const byStep = new Map<number, T[]>();
  for (const row of rows) {
    const some = byStep.get(stepOf(row));
    if (some) some.push(row);
    else byStep.set(stepOf(row), [row]);
  }
  return byStep;
}

function tellCorrection(clock: Clock, archive: RunArchive): void {
  const { record, steps, quizzes } = archive;
  const pairs = groupedBy(archive.pairs, ({ step }) => step);
  const total = Number(record.totalSteps) || steps.length;
  const size = quizSize(archive);
  const answers = groupedBy(
    archive.answers.filter(({ phase }) => phase === "quiz"),
    ({ step }) => step ?? 0,
  );
  const stepMs = ((record.seconds.correction ?? 0) * 1000) / Math.max(1, steps.length);
  const quizMs = ((record.seconds.quiz ?? 0) * 1000) / Math.max(1, quizzes.length);
  const playedMs = Math.min(PLAYED_MS.step, PLAYED_MS.correctionAtMost / Math.max(1, steps.length));
  let best = -1;
  const quizAfter = (step: number) => {
    for (const quiz of quizzes.filter((entry) => entry.step === step)) {
      const better = step > 0 && quiz["pass@1"] > best;
      if (better) best = quiz["pass@1"];
      tellQuiz(clock, quiz, answers.get(step) ?? [], answers.get(step)?.length ?? size, better, quizMs);
    }
  };
  quizAfter(0);
  clock.tell(stage("correction", null, 0, total));
  for (const metrics of steps) {
    clock.pass(playedMs, stepMs);
    clock.tell({ type: "step", steps: total, metrics, pairs: pairs.get(metrics.step) ?? [] });
    quizAfter(metrics.step);
    clock.tell(stage("correction", null, metrics.step, total));
  }
}

/** The run's events, in the order in which a live run tells them. */
export function timelineOf(archive: RunArchive): TimedEvent[] {
  const clock = new Clock();
  const { record } = archive;
  const of = (phase: Phase) => archive.answers.filter((answer) => answer.phase === phase);
  const seconds = (name: string) => (record.seconds[name] ?? 0) * 1000;
  const evaluations = (["before", "after", "after_last"] as const).filter((phase) => record[phase]);
  const evaluationMs = seconds("evaluation") / Math.max(1, evaluations.length);
  const evaluate = (phase: "before" | "after") => {
    const result = evaluationOf(record, phase);
    if (!result) return;
    tellAnswers(clock, of(phase), phase, PLAYED_MS.evaluation, evaluationMs);
    clock.tell({ type: "evaluation", phase, result });
  };

  tellAnswers(clock, of("exam"), "exam", PLAYED_MS.exam, seconds("exam") + seconds("analysis"));
  clock.tell({ type: "notebook", notebook: archive.notebook });
  evaluate("before");
  tellCorrection(clock, archive);
  evaluate("after");
  clock.tell(...of("after_last").map((answer): RunEvent => ({ type: "answer", answer })));
  const last = evaluationOf(record, "after_last");
  if (last) clock.tell({ type: "evaluation", phase: "after_last", result: last });
  clock.tell({ type: "finished", run: record });
  return clock.events;
}
