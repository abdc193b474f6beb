// Where a run waits: between two of its events it asks whether to go on.

type Mode = "running" | "paused" | "step" | "stopped";

/** Pauses a loop that passes through it after every event. */
export class RunGate {
  readonly #told: (state: "running" | "paused") => void;
  #mode: Mode = "running";
  #wake = () => {};
  readonly #errands: (() => Promise<void>)[] = [];

  /** @param told hears of every change between running and paused */
  constructor(told: (state: "running" | "paused") => void) {
    this.#told = told;
  }

  pause(): void {
    this.#set("paused");
  }

  resume(): void {
    this.#set("running");
  }

  /** On to the end of the next optimiser step, then pause. */
  step(): void {
    this.#set("step");
  }

  stop(): void {
    this.#set("stopped");
  }

  /** Does something while the loop waits between two events. */
  between<T>(errand: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#errands.push(() => errand().then(resolve, reject));
      this.#wake();
    });
  }

  /**
   * Waits as long as the run is paused.
   * @param stepEnded whether the event just told ends an optimiser step
   * @returns false when the run is to stop
   */
  async pass(stepEnded: boolean): Promise<boolean> {
    if (stepEnded && this.#mode === "step") this.#set("paused");
    await this.runErrands();
    while (this.#mode === "paused") {
      // Nothing may be awaited between looking for errands and waiting, or one that comes then would not wake the loop.
      if (this.#errands.length === 0) await this.#woken();
      await this.runErrands();
    }
    return this.#mode !== "stopped";
  }

  /** Does what is still to be done; the loop calls it once more when it is over. */
  async runErrands(): Promise<void> {
    for (let errand = this.#errands.shift(); errand; errand = this.#errands.shift()) await errand();
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #set(mode: Mode): void {
    this.#mode = mode;
    if (mode !== "stopped") this.#told(mode === "paused" ? "paused" : "running");
    this.#wake();
  }
}
