// The judge behind the sandbox: plans a problem's tests, sends runs to the frame, compares what comes back, and sees to it that
// every request gets exactly one verdict, the same for the same program and tests.
import * as v from "valibot";
import type { Judge, JudgeOptions, JudgeRequest, Verdict } from "./judge.ts";
import { type Plan, readPlan } from "./plan.ts";
import { type Outcome, type RunRequest, replySchema, type SandboxReply, type SandboxRequest } from "./sandbox_protocol.ts";
import { infraError, verdictOf } from "./verdict.ts";

const MAX_KEPT_VERDICTS = 50_000;

interface Waiting {
  resolve(reply: SandboxReply): void;
  reject(error: Error): void;
}

export type Ready = Pick<Extract<SandboxReply, { type: "ready" }>, "snapshot">;

/** How the next try of a run is made. */
type Manner = Pick<RunRequest, "fresh" | "alone">;

/** A judge that speaks with a sandbox frame; it runs in the engine's worker, or wherever the frame's port was given. */
export class SandboxJudge implements Judge {
  private readonly port: MessagePort;
  private readonly waiting = new Map<number, Waiting>();
  private readonly plans = new Map<string, Promise<Plan>>();
  private readonly kept = new Map<string, Promise<Verdict>>();
  private nextId = 1;
  private ended: Error | null = null;
  private readonly opened: Promise<Ready>;
  private markOpened: (opened: Ready | Error) => void = () => {};

  /** @param port from createSandbox */
  constructor(port: MessagePort) {
    this.port = port;
    this.opened = new Promise((resolve, reject) => {
      this.markOpened = (opened) => (opened instanceof Error ? reject(opened) : resolve(opened));
    });
    this.opened.catch(() => {}); // told to whoever asks: ready(), judge()
    port.onmessage = (event: MessageEvent<unknown>) => this.receive(v.parse(replySchema, event.data));
  }

  /**
   * Waits until the sandbox can judge. Gives the interpreter's snapshot where createSandbox was asked for one.
   * @throws Error when Python could not be started
   */
  ready(): Promise<Ready> {
    return this.opened;
  }

  async judge(requests: readonly JudgeRequest[], options: JudgeOptions = {}): Promise<Verdict[]> {
    const { signal, onVerdict } = options;
    signal?.throwIfAborted();
    const fresh = options.isolation === "fresh";
    const judgeOne = async (request: JudgeRequest, index: number): Promise<Verdict> => {
      const verdict = await this.keptVerdict(request, fresh, signal);
      onVerdict?.(index, verdict);
      return verdict;
    };
    return Promise.all(requests.map(judgeOne));
  }

  async close(): Promise<void> {
    this.end(new Error("The judge was closed."));
    this.port.close();
  }

  /** Equal programs with equal tests are judged once. */
  private keptVerdict(request: JudgeRequest, fresh: boolean, signal: AbortSignal | undefined): Promise<Verdict> {
    const { program, entryPoint, setup, tests, timeoutMs } = request;
    const key = JSON.stringify([fresh, timeoutMs, entryPoint, setup ?? "", tests, program]);
    const known = this.kept.get(key);
    if (known) return known;
    const verdict = this.judgeRequest(request, fresh, signal);
    this.keep(key, verdict);
    return verdict;
  }

  private keep(key: string, verdict: Promise<Verdict>): void {
    this.kept.set(key, verdict);
    const oldest = this.kept.keys().next();
    if (this.kept.size > MAX_KEPT_VERDICTS && !oldest.done) this.kept.delete(oldest.value);
    const forget = () => this.kept.delete(key);
    verdict.then((known) => known.verdict === "infra_error" && forget(), forget);
  }

  private async judgeRequest(request: JudgeRequest, fresh: boolean, signal: AbortSignal | undefined): Promise<Verdict> {
    await this.opened;
    let plan: Plan;
    try {
      plan = await this.plan(request);
    } catch (error) {
      if (this.ended) throw error;
      return infraError(`${request.taskId}: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (plan.checks.length === 0 && !plan.steps.some((step) => step.kind === "inside")) {
      return infraError(`${request.taskId}: its tests assert nothing`);
    }
    const run = (manner: Manner) => this.run(request, plan, manner, signal);
    const first = await run({ fresh, alone: false });
    const verdict = verdictOf(plan, request, first);
    const again = nextManner(first, verdict);
    return again ? verdictOf(plan, request, await run(again)) : verdict;
  }

  private plan(request: JudgeRequest): Promise<Plan> {
    const { entryPoint, setup = "", tests } = request;
    const key = JSON.stringify([entryPoint, setup, tests]);
    const known = this.plans.get(key);
    if (known) return known;
    const plan = this.ask({ type: "plan", id: this.nextId++, entryPoint, setup, tests: [...tests] }).then((reply) => {
      if (reply.type !== "planned") throw new Error("The sandbox answered a plan with something else.");
      return readPlan(reply.plan);
    });
    this.plans.set(key, plan);
    plan.catch(() => this.plans.delete(key));
    return plan;
  }

  private async run(request: JudgeRequest, plan: Plan, manner: Manner, signal: AbortSignal | undefined): Promise<Outcome> {
    const { program, entryPoint, setup = "", timeoutMs } = request;
    const steps = plan.steps.map(({ kind, source }) => ({ kind, source }));
    const message: RunRequest = { type: "run", id: this.nextId++, program, entryPoint, setup, steps, timeoutMs, ...manner };
    const reply = await this.ask(message, signal);
    if (reply.type !== "outcome") throw new Error("The sandbox answered a run with something else.");
    return reply;
  }

  private ask(request: Exclude<SandboxRequest, { type: "cancel" }>, signal?: AbortSignal): Promise<SandboxReply> {
    const { id } = request;
    return new Promise((resolve, reject) => {
      if (this.ended) return reject(this.ended);
      if (signal?.aborted) return reject(signal.reason);
      const abort = () => {
        this.waiting.delete(id);
        this.send({ type: "cancel", id });
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", abort, { once: true });
      const settled = () => signal?.removeEventListener("abort", abort);
      const resolveReply = (reply: SandboxReply) => {
        settled();
        resolve(reply);
      };
      const rejectWith = (error: Error) => {
        settled();
        reject(error);
      };
      this.waiting.set(id, { resolve: resolveReply, reject: rejectWith });
      this.send(request);
    });
  }

  private send(request: SandboxRequest): void {
    this.port.postMessage(request);
  }

  private receive(reply: SandboxReply): void {
    if (reply.type === "ready") this.markOpened({ snapshot: reply.snapshot });
    else if (reply.type === "broken") this.end(new Error(reply.message));
    else this.settle(reply);
  }

  private settle(reply: Exclude<SandboxReply, { type: "ready" | "broken" }>): void {
    const waiting = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
    if (reply.type === "failed") waiting?.reject(new Error(reply.message));
    else waiting?.resolve(reply);
  }

  private end(error: Error): void {
    this.ended ??= error;
    this.markOpened(error);
    for (const waiting of this.waiting.values()) waiting.reject(error);
    this.waiting.clear();
  }
}

/** How a run is tried once more before its verdict counts; null when it counts at once. */
function nextManner(outcome: Outcome, verdict: Verdict): Manner | null {
  if (verdict.verdict === "timeout") return { fresh: true, alone: true };
  const doubtful = !outcome.healthy || verdict.verdict === "infra_error" || (verdict.verdict === "crash" && !outcome.fresh);
  return doubtful ? { fresh: true, alone: false } : null;
}
