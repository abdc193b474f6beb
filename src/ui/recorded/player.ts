// Plays a timeline: position, speed, and what is due. It knows no page; the session draws what it shows.
import { type Signal, signal } from "@preact/signals";
import type { RunEvent } from "../../records.ts";
import type { RunArchive } from "./run_archive.ts";
import { type TimedEvent, timelineOf } from "./timeline.ts";

/** Who draws the events. */
export interface Screen {
  /** Empties it: what is shown next begins at the run's start. */
  clear(): void;
  /** Shows one event. `ranMs`: the run's own clock. */
  show(event: RunEvent, ranMs: number): void;
  /** What was due has been shown. `jumped`: by winding, not by playing. */
  settle(jumped: boolean): void;
}

export const SPEEDS = [0.5, 1, 2, 4, 8] as const;

const SKIP_MS = 2000;

export class Player {
  readonly playing = signal(false);
  readonly positionMs = signal(0);
  readonly speed: Signal<number> = signal(1);
  readonly durationMs: number;
  /** How long the run itself took. */
  readonly ranMs: number;
  readonly archive: RunArchive;
  private readonly timeline: readonly TimedEvent[];
  private readonly screen: Screen;
  /** Index of the next event to be shown. */
  private next = 0;

  constructor(archive: RunArchive, screen: Screen) {
    this.archive = archive;
    this.screen = screen;
    this.timeline = timelineOf(archive);
    const last = this.timeline.at(-1);
    this.durationMs = last?.atMs ?? 0;
    this.ranMs = last?.ranMs ?? 0;
  }

  get ended(): boolean {
    return this.next >= this.timeline.length;
  }

  /** Plays on, from the start again where the end was reached. */
  play(): void {
    if (this.ended) this.seek(0);
    this.playing.value = true;
  }

  pause(): void {
    this.playing.value = false;
  }

  /** Time has passed: shows what is due. */
  advance(elapsedMs: number): void {
    if (!this.playing.value) return;
    this.showUntil(this.positionMs.value + elapsedMs * this.speed.value);
    this.screen.settle(false);
    if (this.ended) this.pause();
  }

  /** Goes to a moment, forwards or backwards. */
  seek(positionMs: number): void {
    const target = Math.min(this.durationMs, Math.max(0, positionMs));
    if (target < this.positionMs.value) {
      this.screen.clear();
      this.next = 0;
    }
    this.showUntil(target);
    this.screen.settle(true);
  }

  /** Two seconds on (1) or back (-1). */
  skip(direction: 1 | -1): void {
    this.seek(this.positionMs.value + direction * SKIP_MS);
  }

  toTheEnd(): void {
    this.pause();
    this.seek(this.durationMs);
  }

  /** To the end of the exam, where its notebook is made. */
  toTheExam(): void {
    this.pause();
    this.seek(this.timeline.find(({ event }) => event.type === "notebook")?.atMs ?? this.durationMs);
  }

  /** To the end of the next optimiser step; to the end of the run where there is none. */
  step(): void {
    this.pause();
    const found = this.timeline.findIndex(({ event }, index) => index >= this.next && event.type === "step");
    this.seek(found < 0 ? this.durationMs : this.timeline[found].atMs);
  }

  private showUntil(positionMs: number): void {
    while (this.next < this.timeline.length && this.timeline[this.next].atMs <= positionMs) {
      const { event, ranMs } = this.timeline[this.next];
      this.next += 1;
      this.screen.show(event, ranMs);
    }
    this.positionMs.value = Math.min(positionMs, this.durationMs);
  }
}
