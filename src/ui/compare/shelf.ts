// The runs that can be compared: those that come with the page, those that were opened, those that were made in this tab.
import { type Signal, signal } from "@preact/signals";
import { messageOf } from "../../input_error.ts";
import { RECORDINGS, type Recording } from "../recorded/recordings.ts";
import type { RunArchive, RunRecord } from "../recorded/run_archive.ts";
import { timelineOf } from "../recorded/timeline.ts";
import { applyEvent, emptyRun, type RunState } from "../run_state.ts";

/** Runs of one's own that are held; a tab that trains for hours must not grow. */
const MOST_OWN = 8;

export interface ShelvedRun {
  /** A recorded run's is the URL's. */
  id: string;
  title: string;
  run: ComparedRun;
  record: RunRecord;
}

/** Right answers to each evaluation problem, by its id. */
export type RightAnswers = ReadonlyMap<string, { passed: number; of: number }>;

/** What is compared of a run. Its answers' texts are not: they would be most of what a tab holds that trains for hours. */
export interface ComparedRun extends Pick<RunState, "steps" | "quizzes"> {
  right: Record<"before" | "after", RightAnswers>;
}

/** What is kept of a run that is over. */
export function comparedRun({ steps, quizzes, answers }: RunState): ComparedRun {
  const right = (phase: "before" | "after"): RightAnswers =>
    new Map(
      [...(answers[phase] ?? [])].map(([taskId, all]) => {
        const passed = all.filter(({ verdict }) => verdict === "pass").length;
        return [taskId, { passed, of: all.length }];
      }),
    );
  return { steps, quizzes, right: { before: right("before"), after: right("after") } };
}

export class Shelf {
  /** In the order in which they came. */
  readonly runs: Signal<readonly ShelvedRun[]> = signal([]);
  /** Ids of recorded runs that are being fetched. */
  readonly fetching: Signal<readonly string[]> = signal([]);
  /** Why the last one could not be fetched. */
  readonly failure: Signal<string | null> = signal(null);
  private readonly fetchArchive: (recording: Recording) => Promise<RunArchive>;

  constructor(fetchArchive: (recording: Recording) => Promise<RunArchive>) {
    this.fetchArchive = fetchArchive;
  }

  /** Fetches a recorded run, once. */
  async fetch(id: string): Promise<void> {
    const recording = RECORDINGS.find((entry) => entry.id === id);
    if (!recording || this.find(id) || this.fetching.value.includes(id)) return;
    this.fetching.value = [...this.fetching.value, id];
    try {
      this.put(id, await this.fetchArchive(recording));
    } catch (error) {
      this.failure.value = messageOf(error);
    } finally {
      this.fetching.value = this.fetching.value.filter((entry) => entry !== id);
    }
  }

  find(id: string): ShelvedRun | undefined {
    return this.runs.value.find((entry) => entry.id === id);
  }

  /** Puts a run that was read from files on the shelf. */
  put(id: string, archive: RunArchive): void {
    const run = emptyRun();
    for (const { event, ranMs } of timelineOf(archive)) applyEvent(run, event, ranMs);
    this.add({ id, title: archive.name, run: comparedRun(run), record: archive.record });
  }

  /** Puts a run there; one of the same id gives way, and the oldest of one's own where there are too many. */
  add(shelved: ShelvedRun): void {
    const runs = [...this.runs.value.filter(({ id }) => id !== shelved.id), shelved];
    const own = runs.filter(({ id }) => !RECORDINGS.some((recording) => recording.id === id));
    this.runs.value = own.length > MOST_OWN ? runs.filter((run) => run !== own[0]) : runs;
  }
}
