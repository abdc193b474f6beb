// Work that is worth doing only now and then: not before it would take less than its share of the time.

export class TimeShare {
  readonly #share: number;
  readonly #now: () => number;
  /** When it was done last, and what that took, in ms. */
  #last: { at: number; took: number };

  /**
   * @param share of all time that the work may take
   * @param now a clock in ms
   * @param since from when on time counts; -Infinity: the first time is at once
   */
  constructor(share: number, now: () => number, since: number) {
    this.#share = share;
    this.#now = now;
    this.#last = { at: since, took: 0 };
  }

  /** Does the work, unless the last time was too short ago for it; gives the ms that it took, 0 where it was left out. */
  async spend(work: () => Promise<void>, must = false): Promise<number> {
    const started = this.#now();
    if (!must && (started - this.#last.at) * this.#share < this.#last.took) return 0;
    await work();
    const ended = this.#now();
    this.#last = { at: ended, took: ended - started };
    return this.#last.took;
  }
}
