// How often a GPU may be lost before it is given up: a device that fails again and again would be opened for ever.

export const MAX_LOSSES = 3;
const WITHIN_MS = 60_000;

/** Counts losses; those of the last minute count. */
export class LossLimit {
  /** When they were, in ms. */
  #losses: number[] = [];

  /** Takes one loss into account. Returns whether it is one too many: the third within a minute. */
  reachedAt(now: number): boolean {
    this.#losses = [...this.#losses.filter((at) => now - at < WITHIN_MS), now];
    return this.#losses.length >= MAX_LOSSES;
  }
}
