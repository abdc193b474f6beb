// Where a lesson stands and what was guessed in it.

import { computed, type Signal, signal } from "@preact/signals";
import { countOf } from "../../counts.ts";
import { LESSONS, type LessonName, type LessonStep } from "./lessons.ts";

export class Lesson {
  readonly name: Signal<LessonName | null>;
  readonly place = signal(0);
  /** The error type that was said to fall first. */
  readonly guess: Signal<string | null> = signal(null);
  readonly steps = computed((): readonly LessonStep[] => LESSONS.find((lesson) => lesson.name === this.name.value)?.steps ?? []);
  /** The step that is shown; null outside of lessons. */
  readonly step = computed((): LessonStep | null => this.steps.value[this.place.value] ?? null);

  constructor(name: LessonName | null) {
    this.name = signal(name);
  }

  begin(name: LessonName): void {
    this.place.value = 0;
    this.guess.value = null;
    this.name.value = name;
  }
}

/**
 * The type that lost the largest share of its count, among those that had at least `least`.
 * @returns null where there is none
 */
export function fellFirst(before: Record<string, number>, after: Record<string, number>, least: number): string | null {
  const left = (type: string) => countOf(after, type) / before[type];
  const types = Object.keys(before).filter((type) => before[type] >= least);
  return types.sort((a, b) => left(a) - left(b))[0] ?? null;
}
