// How long work on a GPU is tried again on another device: not when something else went wrong, and not for ever.
import { GpuFailure, NotFinite } from "../gpu/gpu.ts";
import { InputError, messageOf } from "../input_error.ts";
import { LossLimit, MAX_LOSSES } from "./loss_limit.ts";

export interface PatienceOptions {
  /** What is kept, for the sentence that ends it: "nothing of the run is lost". */
  kept(): string;
  /** Hears of every failure that is borne, in a sentence. */
  told(message: string): void;
  /** A clock in ms. */
  now(): number;
}

export class Patience {
  readonly #options: PatienceOptions;
  readonly #losses = new LossLimit();
  /** Failures since something was last done: one that comes again and again may take its time. */
  #inVain = 0;

  constructor(options: PatienceOptions) {
    this.#options = options;
  }

  /** Something was done since the last failure. */
  worked(): void {
    this.#inVain = 0;
  }

  /**
   * Does it, on one device after another if need be.
   * @param recover brings everything to where it was, on another device
   * @throws InputError with advice where the GPU fails too often; whatever else `work` or `recover` throws
   */
  async insist<T>(work: () => Promise<T>, recover: () => Promise<void>): Promise<T> {
    for (;;) {
      try {
        const done = await work();
        this.worked();
        return done;
      } catch (error) {
        await this.recover(error, recover);
      }
    }
  }

  /** Recovers from a failure, and from those that come while it does; throws as `insist` does. */
  async recover(failure: unknown, recover: () => Promise<void>): Promise<void> {
    for (let error = failure; ; ) {
      this.#bear(error);
      try {
        return await recover();
      } catch (again) {
        error = again;
      }
    }
  }

  #bear(error: unknown): void {
    if (!(error instanceof GpuFailure)) throw error;
    this.#inVain += 1;
    const often = this.#losses.reachedAt(this.#options.now());
    if (often || this.#inVain >= MAX_LOSSES) {
      const when = often ? "within a minute" : "without getting any further";
      throw new InputError(`The GPU failed ${MAX_LOSSES} times ${when} (${error.message}): ${adviceOn(error)}; ${this.#options.kept()}.`);
    }
    this.#options.told(`The GPU failed (${error.message}). The work goes on with a new device from the last step that counted.`);
  }
}

function adviceOn(failure: GpuFailure): string {
  return failure instanceof NotFinite
    ? "the model's files or the GPU's driver are at fault; take another dtype, model or GPU, or call again when that is mended"
    : "close what else uses it, then go on; or begin with a smaller model or batch";
}

/** A driver that was reset, or a network that is away, may take a while until it is back. */
const PAUSES_MS = [1000, 3000, 9000];

/**
 * Opens something on another device, after pauses if need be.
 * @param atOnce which failures no pause would mend; they are thrown as they are
 * @throws GpuFailure where none can be opened, with the last failure's reason
 */
export async function openInTime<T>(open: () => Promise<T>, atOnce: (error: unknown) => boolean = () => false): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await open();
    } catch (error) {
      if (atOnce(error)) throw error;
      const pause = PAUSES_MS[tries];
      if (pause === undefined) throw new GpuFailure(`No other device can be opened: ${messageOf(error)}`);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}
