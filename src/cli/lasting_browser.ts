// A judge that outlives its browser: where that crashes, another one is opened, and what it was judging is judged there. One that
// crashes again before it has judged anything ends the work, with advice.
import { InputError, messageOf } from "../input_error.ts";
import type { Judge, JudgeOptions, JudgeRequest, Verdict } from "../python/judge.ts";

/** Crashes without a verdict between them. */
const MAX_CRASHES = 2;

export class LastingBrowserJudge implements Judge {
  readonly #open: () => Promise<Judge>;
  readonly #told: (message: string) => void;
  #judge: Promise<Judge>;
  #crashes = 0;
  #closed = false;

  private constructor(judge: Judge, open: () => Promise<Judge>, told: (message: string) => void) {
    this.#judge = Promise.resolve(judge);
    this.#open = open;
    this.#told = told;
  }

  /**
   * @param open opens a judge in a browser of its own
   * @param told hears of every browser that is given up, in a sentence
   * @throws what `open` throws: a browser that does not start would not start a second time
   */
  static async open(open: () => Promise<Judge>, told: (message: string) => void): Promise<LastingBrowserJudge> {
    return new LastingBrowserJudge(await open(), open, told);
  }

  async judge(requests: readonly JudgeRequest[], options: JudgeOptions = {}): Promise<Verdict[]> {
    const verdicts: Verdict[] = [];
    const missing = new Set(requests.keys());
    while (missing.size > 0) {
      const [current, asked] = [this.#judge, [...missing]];
      const onVerdict = (at: number, verdict: Verdict) => {
        const index = asked[at]!;
        if (!missing.delete(index)) return;
        this.#crashes = 0;
        verdicts[index] = verdict;
        options.onVerdict?.(index, verdict);
      };
      try {
        const some = asked.map((index) => requests[index]!);
        await (await current).judge(some, { ...options, onVerdict });
        if (missing.size > 0) throw new Error("it gave no verdict");
      } catch (error) {
        options.signal?.throwIfAborted();
        this.#replace(current, error);
      }
    }
    return verdicts;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await (await this.#judge).close();
  }

  /** Another browser in place of one that failed; the first of those that were waiting for it does so. */
  #replace(failed: Promise<Judge>, error: unknown): void {
    if (this.#closed) throw error;
    if (this.#judge !== failed) return;
    const [reason] = messageOf(error).split("\n");
    this.#crashes += 1;
    if (this.#crashes >= MAX_CRASHES) {
      throw new InputError(
        `The browser that judges failed twice (${reason}): close what takes its memory, then call again (a run with --resume); what was written until now is kept.`,
      );
    }
    this.#told(`The browser that judges failed (${reason}). Another one is opened, and what it was judging is judged there.`);
    this.#judge = this.#another(failed);
    this.#judge.catch(() => {}); // told to whoever judges next
  }

  async #another(failed: Promise<Judge>): Promise<Judge> {
    await failed.then((judge) => judge.close()).catch(() => {}); // it may be gone already
    return this.#open();
  }
}
