// What is shown of one run: its events so far, and where its notebook is opened. Where the events come from (the engine, a recording,
// another tab) is the session's business.
import { batch, type Signal, signal } from "@preact/signals";
import type { Phase, Preference, RunEvent } from "../records.ts";
import { applyEvent, type ErrorComparison, emptyRun, type RunState, restartClock, stationOf } from "./run_state.ts";

/** What the notebook is opened at; null means "the first that fits". */
export interface Selection {
  phase: Phase;
  errorType: string | null;
  taskId: string | null;
  sampleIndex: number | null;
}

export interface BoardLinks {
  /** Calls back once, before the next picture is drawn. */
  nextFrame(callback: () => void): void;
  nowMs(): number;
  /** Has it read aloud. */
  announce(sentence: string): void;
}

const FIRST: Selection = { phase: "exam", errorType: null, taskId: null, sampleIndex: null };

const FOLLOW_EVERY_MS = 2500;

const STATION_NAMES = {
  before: "Evaluation before training",
  exam: "Exam",
  analysis: "Analysis",
  correction: "Correction",
  quiz: "Quiz",
  after: "Evaluation after training",
};

export class Board {
  readonly selection = signal(FIRST);
  /** Which comparison the error bars show; null follows the run. */
  readonly comparison: Signal<ErrorComparison["source"] | null> = signal(null);
  /** The notebook opens the pairs as they are trained, until something is picked in it. */
  readonly following = signal(true);
  /** Grows when `run` has changed; read it where `run` is drawn. */
  readonly revision = signal(0);
  /** All events of the run, in order. */
  readonly events: RunEvent[] = [];
  private readonly links: BoardLinks;
  private current: RunState = emptyRun();
  private latestPairs: readonly Preference[] = [];
  private followedMs = Number.NEGATIVE_INFINITY;
  private frameAsked = false;

  constructor(links: BoardLinks) {
    this.links = links;
  }

  /** The run, watched: a component that reads it is drawn again when it changes. */
  get run(): RunState {
    this.revision.value;
    return this.current;
  }

  /** Empties it for another run. */
  clear(): void {
    batch(() => {
      this.empty();
      this.comparison.value = null;
      this.following.value = true;
      this.selection.value = FIRST;
    });
  }

  /** What is picked stays picked: so does a recorded run that is played from its start. */
  empty(): void {
    this.current = emptyRun();
    this.events.length = 0;
    this.followedMs = Number.NEGATIVE_INFINITY;
    this.revision.value += 1;
  }

  /** Takes one event in. */
  record(event: RunEvent, nowMs = this.links.nowMs()): void {
    this.events.push(event);
    const before = this.current.station;
    applyEvent(this.current, event, nowMs);
    if (event.type === "stage" && stationOf(event.stage, event.phase) !== before) {
      this.links.announce(`${STATION_NAMES[stationOf(event.stage, event.phase)]} began.`);
    }
    if (event.type === "step") this.latestPairs = event.pairs;
    this.redraw();
  }

  /** Opens the pair trained last in the notebook: slowly enough to be read, unless the run was wound to another moment. */
  followLatest(jumped: boolean): void {
    const pair = this.latestPairs.find((entry) => entry.rejected_index !== undefined);
    this.latestPairs = [];
    if (!pair || !this.following.value) return;
    const nowMs = this.links.nowMs();
    if (!jumped && nowMs - this.followedMs < FOLLOW_EVERY_MS) return;
    this.followedMs = nowMs;
    this.selection.value = { phase: "exam", errorType: null, taskId: pair.task_id, sampleIndex: pair.rejected_index ?? null };
  }

  /** Opens the notebook elsewhere; what is not named starts over at the first that fits. */
  select(change: Partial<Selection>): void {
    this.following.value = false;
    const now = this.selection.value;
    const sameProblem = change.phase === undefined && change.errorType === undefined && change.taskId === undefined;
    const kept = sameProblem ? now : { ...now, sampleIndex: null, taskId: change.taskId ?? null };
    this.selection.value = { ...kept, ...change };
  }

  /** Forgets the time that passed in a pause, so that rates stay true. */
  restartClock(): void {
    restartClock(this.current, this.links.nowMs());
  }

  private redraw(): void {
    if (this.frameAsked) return;
    this.frameAsked = true;
    this.links.nextFrame(() => {
      this.frameAsked = false;
      this.revision.value += 1;
    });
  }
}
