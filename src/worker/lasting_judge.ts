// A judge that outlives its sandbox: where a frame no longer answers, another is asked for and the answers that were with it are judged
// there. One that silences the second frame, too, is an infra_error: reported, and left out.
import { messageOf } from "../input_error.ts";
import type { Judge, JudgeOptions, JudgeRequest, Verdict } from "../python/judge.ts";
import { SandboxJudge } from "../python/sandbox_judge.ts";
import { infraError } from "../python/verdict.ts";

/** A page that has not made a frame by then makes none. Counted in ticks: a tab that was frozen, or a machine that slept, has not waited. */
const FRAME_WITHIN_TICKS = 12;
const TICK_MS = 10_000;
/** So many frames of a page may fall silent; each was silent for minutes before that was known. */
const MAX_SILENT = 3;

type Sandbox = Pick<SandboxJudge, "judge" | "ready" | "close">;

export interface LastingJudgeOptions {
  /** Asks the page for another frame; its port comes to `give`. */
  ask(): void;
  /** Hears of every frame that is given up, in a sentence. */
  told(message: string): void;
  /** Makes a judge of a frame's port; tests put another here. */
  open?(port: MessagePort): Sandbox;
}

export class LastingJudge implements Judge {
  readonly #options: LastingJudgeOptions;
  #sandbox: Promise<Sandbox>;
  #silent = 0;
  #arrived: (port: MessagePort) => void = () => {};

  constructor(port: MessagePort, options: LastingJudgeOptions) {
    this.#options = options;
    this.#sandbox = Promise.resolve(this.#open(port));
  }

  /** Takes the port of the frame that was asked for. */
  give(port: MessagePort): void {
    this.#arrived(port);
  }

  judge(requests: readonly JudgeRequest[], options: JudgeOptions = {}): Promise<Verdict[]> {
    const one = async (request: JudgeRequest, index: number) => {
      const verdict = await this.#insist(request, options);
      options.onVerdict?.(index, verdict);
      return verdict;
    };
    return Promise.all(requests.map(one));
  }

  async close(): Promise<void> {
    await (await this.#sandbox).close();
  }

  async #insist(request: JudgeRequest, { isolation, signal }: JudgeOptions): Promise<Verdict> {
    const options: JudgeOptions = { ...(isolation && { isolation }), ...(signal && { signal }) };
    for (let frames = 1; ; frames++) {
      const asked = this.#sandbox;
      const sandbox = await asked;
      await sandbox.ready(); // a Python that does not start is told: another frame would not start it either
      try {
        const [verdict] = await sandbox.judge([request], options);
        if (verdict) return verdict;
        throw new Error("The judge gave no verdict.");
      } catch (error) {
        signal?.throwIfAborted();
        if (this.#sandbox === asked) this.#replace(sandbox, error); // the first of those that were waiting
        if (frames === 2) return infraError(messageOf(error));
      }
    }
  }

  #replace(silent: Sandbox, error: unknown): void {
    this.#silent += 1;
    if (this.#silent > MAX_SILENT) throw error;
    this.#options.told(`${messageOf(error).split(":")[0]}. Another one is opened, and the run goes on.`);
    this.#sandbox = this.#another(silent);
    this.#sandbox.catch(() => {}); // told to whoever judges next
  }

  async #another(silent: Sandbox): Promise<Sandbox> {
    let ticker: ReturnType<typeof setInterval> | undefined;
    const port = new Promise<MessagePort>((resolve, reject) => {
      this.#arrived = resolve;
      let ticks = 0;
      ticker = setInterval(() => {
        ticks += 1;
        if (ticks === FRAME_WITHIN_TICKS) reject(new Error("The page opened no other Python sandbox: reload it, and go on with the run."));
      }, TICK_MS);
    });
    const stop = () => clearInterval(ticker);
    port.then(stop, stop);
    await silent.close();
    this.#options.ask();
    return this.#open(await port);
  }

  #open(port: MessagePort): Sandbox {
    return this.#options.open?.(port) ?? new SandboxJudge(port);
  }
}
