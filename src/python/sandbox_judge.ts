// The judge behind the sandbox: plans a problem's tests, sends runs to the frame, compares what comes back, and sees to it that
// every request gets exactly one verdict, the same for the same program and tests.

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import * as v from "valibot";
import { messageOf } from "../input_error.ts";
import type { EvalPlusSuite } from "../tasks/problem.ts";
import { evalPlusLimits, isComparable, type ReferenceCase, referenceCases, referenceSteps } from "./evalplus.ts";
import type { Judge, JudgeOptions, JudgeRequest, Verdict } from "./judge.ts";
import { type Plan, planOfEvalPlus, planOfPrograms, readPlan } from "./plan.ts";
import { type Outcome, type RunRequest, replySchema, type SandboxReply, type SandboxRequest } from "./sandbox_protocol.ts";
import { infraError, verdictOf } from "./verdict.ts";

const MAX_KEPT_VERDICTS = 50_000;
const REJUDGED_SHARE = 0.01; // of the verdicts in batch
const REFERENCE_TIMEOUT_MS = 600_000;
const MOST_MS = 60_000; // for all tests of an answer that have a limit each

/** The frame says every twenty seconds that it is there. */
const SILENCE_MS = 240_000;
/** Python has a minute to start, three times; before that its files are compiled. */
const OPEN_WITHIN_MS = 300_000;
const TICK_MS = 10_000;
/** As the runner writes a failure. */
const NOT_RUN = "!(s'assertion's'AssertionError'Ns'the test did not run to its end's'')";
const RELOAD = "reload the page, or call the command again, and go on with the run; nothing of it is lost.";
const SILENT = `The Python sandbox no longer answers: ${RELOAD}`;
const UNOPENED = `The Python sandbox did not start within ${OPEN_WITHIN_MS / 60_000} minutes: ${RELOAD}`;

interface Waiting {
  resolve(reply: SandboxReply): void;
  reject(error: Error): void;
}

export type Ready = Pick<Extract<SandboxReply, { type: "ready" }>, "snapshot">;

/** How the next try of a run is made. */
type Manner = Pick<RunRequest, "fresh" | "alone">;

/** One run's worth of tests, with the time they are given. */
interface Paper extends Pick<RunRequest, "timeoutMs" | "stepTimeoutsMs"> {
  readonly plan: Plan;
}

/** Where the outputs of reference solutions are kept between sittings; its keys are good for one version of Python. */
export interface ReferenceStore {
  get(key: string): Promise<string | null>;
  put(key: string, text: string): Promise<void>;
}

const keptReference = v.array(v.nullable(v.object({ expected: v.string(), alternative: v.nullable(v.string()), seconds: v.number() })));
/** For each input of a suite; null for one on which the reference's own value takes more memory than there is here, or is too large to compare. */
type Reference = readonly (ReferenceCase | null)[];

/** A judge that speaks with a sandbox frame; it runs in the engine's worker, or wherever the frame's port was given. */
export class SandboxJudge implements Judge {
  private readonly port: MessagePort;
  private readonly waiting = new Map<number, Waiting>();
  private readonly papers = new Map<string, Promise<readonly Paper[]>>();
  private readonly digests = new WeakMap<object, string>();
  private readonly references: ReferenceStore | null;
  private readonly kept = new Map<string, Promise<Verdict>>();
  private nextId = 1;
  private ended: Error | null = null;
  private readonly opened: Promise<Ready>;
  private isOpen = false;
  private ticker: ReturnType<typeof setInterval> | undefined;
  private silentTicks = 0;
  private markOpened: (opened: Ready | Error) => void = () => {};

  /**
   * @param port from createSandbox
   * @param references where reference outputs are kept beyond this judge's life
   */
  constructor(port: MessagePort, references: ReferenceStore | null = null) {
    this.port = port;
    this.references = references;
    this.opened = new Promise((resolve, reject) => {
      this.markOpened = (opened) => (opened instanceof Error ? reject(opened) : resolve(opened));
    });
    this.opened.catch(() => {}); // told to whoever asks: ready(), judge()
    this.watch();
    port.onmessage = (event: MessageEvent<unknown>) => {
      const reply = v.safeParse(replySchema, event.data);
      if (reply.success) this.receive(reply.output); // anything else is no answer to anything
    };
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
    const { program, timeoutMs, testTimeoutMs } = request;
    const key = digest(JSON.stringify([fresh, timeoutMs, testTimeoutMs, this.questionKey(request), program]));
    const known = this.kept.get(key);
    if (known) return known;
    const verdict = this.judgeRequest(request, fresh, isRejudged(key), signal);
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

  /** A short text that tells a problem's tests from any others; the long part, which requests share, is digested once. */
  private questionKey({ entryPoint, prelude = "", setup = "", tests, suite }: JudgeRequest): string {
    const shared = suite ?? tests;
    let long = this.digests.get(shared);
    if (long === undefined) {
      long = digest(JSON.stringify(shared));
      this.digests.set(shared, long);
    }
    return JSON.stringify([entryPoint, prelude, setup, long]);
  }

  private async judgeRequest(request: JudgeRequest, fresh: boolean, rejudge: boolean, signal?: AbortSignal): Promise<Verdict> {
    await this.opened;
    let papers: readonly Paper[];
    try {
      papers = await this.papersOf(request, signal);
    } catch (error) {
      if (this.ended || signal?.aborted) throw error;
      return infraError(`${request.taskId}: ${messageOf(error)}`);
    }
    const judged = await Promise.all(papers.map((paper) => this.judgePaper(request, paper, fresh, rejudge, signal)));
    const [base, plus] = judged;
    if (!base) return infraError(`${request.taskId}: its tests assert nothing`);
    if (!plus) return base;
    const decisive = base.verdict === "pass" ? plus : base;
    const rejudged = base.rejudged?.disagreed ? base.rejudged : plus.rejudged;
    return {
      ...decisive,
      ...(rejudged && { rejudged }),
      parts: { base: base.verdict, plus: plus.verdict },
      seconds: base.seconds + plus.seconds,
    };
  }

  /** One verdict: in doubt after a second run in a fresh interpreter, and one in a hundred is run there to see that it is the same. */
  private async judgePaper(request: JudgeRequest, paper: Paper, fresh: boolean, rejudge: boolean, signal?: AbortSignal): Promise<Verdict> {
    const run = async (manner: Manner) => {
      const outcome = await this.run(request, paper, manner, signal);
      return { outcome, verdict: verdictOf(paper.plan, request, outcome) };
    };
    const first = await run({ fresh, alone: false });
    const again = nextManner(first.outcome, first.verdict);
    if (again) return (await run(again)).verdict;
    if (fresh || !rejudge) return first.verdict;
    const { outcome, verdict } = await run({ fresh: true, alone: false });
    const second = verdict.verdict === "timeout" || !outcome.healthy ? (await run({ fresh: true, alone: true })).verdict : verdict;
    const same =
      second.verdict === first.verdict.verdict && second.errorType === first.verdict.errorType && second.test === first.verdict.test;
    return { ...second, rejudged: { disagreed: same ? null : first.verdict.verdict } };
  }

  /** What a request's problem asks of a program; made once for each problem. */
  private papersOf(request: JudgeRequest, signal: AbortSignal | undefined): Promise<readonly Paper[]> {
    const key = digest(JSON.stringify([request.timeoutMs, request.testTimeoutMs, this.questionKey(request)]));
    const known = this.papers.get(key);
    if (known) return known;
    const papers = this.makePapers(request, signal);
    this.papers.set(key, papers);
    papers.catch(() => this.papers.delete(key));
    return papers;
  }

  private async makePapers(request: JudgeRequest, signal: AbortSignal | undefined): Promise<readonly Paper[]> {
    const { suite, entryPoint } = request;
    if (suite?.kind === "evalplus") {
      if (suite.base.length + suite.plus.length === 0) throw new Error("it has no tests");
      const cases = await this.referenceOf(request, suite, signal);
      if (!cases.some(isGiven)) throw new Error("there is no input for which its canonical solution gives what can be compared here");
      const part = (inputs: readonly string[], of: Reference): Paper => ({
        plan: planOfEvalPlus(suite, entryPoint, inputs, of),
        ...evalPlusLimits(of.filter(isGiven), request.testTimeoutMs),
      });
      return [part(suite.base, cases.slice(0, suite.base.length)), part(suite.plus, cases.slice(suite.base.length))];
    }
    const plan = suite ? planOfPrograms(suite) : await this.split(request);
    if (plan.checks.length === 0 && !plan.steps.some((step) => step.kind === "inside")) throw new Error("its tests assert nothing");
    return [{ plan, ...limitsOf(request, plan) }];
  }

  private async split({ entryPoint, setup = "", tests }: JudgeRequest): Promise<Plan> {
    const reply = await this.ask({ type: "plan", id: this.nextId++, entryPoint, setup, tests: [...tests] });
    if (reply.type !== "planned") throw new Error("The sandbox answered a plan with something else.");
    return readPlan(reply.plan);
  }

  /** What EvalPlus's reference solution gives for the suite's inputs, run once and kept. */
  private async referenceOf(request: JudgeRequest, suite: EvalPlusSuite, signal: AbortSignal | undefined): Promise<Reference> {
    const key = digest(this.questionKey(request));
    const kept = await this.references?.get(key);
    if (kept) return v.parse(keptReference, JSON.parse(kept));
    const cases = await this.runReference(request, suite, new Set(), signal);
    await this.references?.put(key, JSON.stringify(cases));
    return cases;
  }

  /** @param without inputs, by their number, that take too much memory */
  private async runReference(
    request: JudgeRequest,
    suite: EvalPlusSuite,
    without: ReadonlySet<number>,
    signal: AbortSignal | undefined,
  ): Promise<Reference> {
    const { sources, perInput } = referenceSteps(suite, request.entryPoint);
    const inputOf = (source: number) => Math.floor(source / perInput);
    const all = sources.map((source, i): Plan["steps"][number] => ({ kind: "value", test: inputOf(i), source }));
    const plan: Plan = { steps: all.filter(({ test }) => !without.has(test)), checks: [] };
    const asked = { ...request, program: `${suite.reference}\n${suite.alternative}` };
    const paper: Paper = { plan, timeoutMs: REFERENCE_TIMEOUT_MS, stepTimeoutsMs: [] };
    const batched = await this.run(asked, paper, { fresh: false, alone: false }, signal);
    const sound = batched.healthy && (batched.end === "done" || batched.end === "timeout");
    const outcome = sound ? batched : await this.run(asked, paper, { fresh: true, alone: true }, signal);
    const [start = "!", ...results] = outcome.results;
    const { verdict, test, errorType, message } = verdictOf(plan, asked, outcome);
    if (verdict === "memory_limit" && test !== null) return this.runReference(request, suite, new Set([...without, test]), signal);
    if (start !== "" || results.length < plan.steps.length || results.some((text) => text.startsWith("!")))
      throw new Error(`its canonical solution does not run (${errorType}: ${message})`);
    const found = referenceCases(results, outcome.stepSeconds.slice(1), perInput).map((found) =>
      isComparable(suite, found) ? found : null,
    );
    const next = found.values();
    return Array.from({ length: sources.length / perInput }, (_, input) => (without.has(input) ? null : (next.next().value ?? null)));
  }

  private async run(request: JudgeRequest, paper: Paper, manner: Manner, signal: AbortSignal | undefined): Promise<Outcome> {
    const { program, entryPoint, prelude = "", setup = "" } = request;
    const { plan, timeoutMs, stepTimeoutsMs } = paper;
    const [name, mark] = [`errata_${randomName()}`, randomName()]; // no answer knows them
    const steps = plan.steps.map(({ kind, source }) => ({
      kind,
      source: kind === "inside" ? `${name}\n${source}\n${name} = "${mark}"` : source,
    }));
    const id = this.nextId++;
    const message: RunRequest = { type: "run", id, program, entryPoint, prelude, setup, steps, timeoutMs, stepTimeoutsMs, ...manner };
    const reply = await this.ask(message, signal);
    if (reply.type !== "outcome") throw new Error("The sandbox answered a run with something else.");
    return { ...reply, results: reply.results.map((text, i) => (steps[i - 1]?.kind === "inside" ? insideResult(text, mark) : text)) };
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
      this.watch();
      this.send(request);
    });
  }

  private send(request: SandboxRequest): void {
    this.port.postMessage(request);
  }

  /** Counts the time until it opens, and without an answer, in ticks: a tab that was frozen, or a machine that slept, has not waited. */
  private watch(): void {
    this.ticker ??= setInterval(() => {
      const [within, sentence] = this.isOpen ? [SILENCE_MS, SILENT] : [OPEN_WITHIN_MS, UNOPENED];
      this.silentTicks += 1;
      if (this.silentTicks * TICK_MS >= within) this.end(new Error(sentence));
    }, TICK_MS);
  }

  private receive(reply: SandboxReply): void {
    if (reply.type === "ready") this.open(reply);
    else if (reply.type === "broken") this.end(new Error(reply.message));
    else if (!this.isOpen)
      return; // that it is there does not say that it ever opens
    else if (reply.type !== "alive") this.settle(reply);
    this.silentTicks = 0;
    if (this.waiting.size === 0) this.stopWatching();
  }

  private open({ snapshot }: Ready): void {
    this.isOpen = true;
    this.markOpened({ snapshot });
  }

  private stopWatching(): void {
    clearInterval(this.ticker);
    this.ticker = undefined;
    this.silentTicks = 0;
  }

  private settle(reply: Exclude<SandboxReply, { type: "ready" | "broken" | "alive" }>): void {
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
    this.stopWatching();
  }
}

/** A test that ran inside has left its mark, or it did not run to its end, whatever the answer made of the interpreter. */
function insideResult(text: string, mark: string): string {
  if (text.startsWith("!")) return text;
  return text === `s'${mark}'` ? "" : NOT_RUN;
}

function randomName(): string {
  return crypto.randomUUID().replaceAll("-", "");
}

function isGiven(found: ReferenceCase | null): found is ReferenceCase {
  return found !== null;
}

function digest(text: string): string {
  return bytesToHex(sha256(utf8ToBytes(text)));
}

/** The same verdicts are judged twice in every run of the same programs. */
function isRejudged(key: string): boolean {
  return Number.parseInt(key.slice(0, 8), 16) < REJUDGED_SHARE * 2 ** 32;
}

/** One limit for all tests together, or one for each test where the problem says so. */
function limitsOf({ suite, timeoutMs, testTimeoutMs }: JudgeRequest, plan: Plan): Omit<Paper, "plan"> {
  const each = testTimeoutMs ?? (suite ? timeoutMs : null);
  if (each === null) return { timeoutMs, stepTimeoutsMs: [] };
  const whole = Math.max(each, Math.min(MOST_MS, each * (plan.steps.length + 1)));
  return { timeoutMs: whole, stepTimeoutsMs: [each, ...plan.steps.map(() => each)] };
}

/** How a run is tried once more before its verdict counts; null when it counts at once. */
function nextManner(outcome: Outcome, verdict: Verdict): Manner | null {
  if (verdict.verdict === "timeout") return { fresh: true, alone: true };
  const doubtful = !outcome.healthy || verdict.verdict === "infra_error" || (verdict.verdict === "crash" && !outcome.fresh);
  return doubtful ? { fresh: true, alone: false } : null;
}
