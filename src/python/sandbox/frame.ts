// The sandbox frame: an opaque origin of its own that keeps a pool of interpreters. It hands out runs, keeps their deadlines, ends
// what does not end, and passes on what came out. It decides nothing: expected values never come here.

import workerSource from "virtual:sandbox-worker";
import * as v from "valibot";
import {
  type Job,
  type Open,
  type Outcome,
  openSchema,
  type Report,
  type RunRequest,
  reportSchema,
  requestSchema,
  type SandboxReply,
  type SandboxRequest,
} from "../sandbox_protocol.ts";
import { type SharedSnapshot, shareFile, shareSnapshot } from "./shared_bytes.ts";
import type { Boot } from "./worker.ts";

const BOOT_TIMEOUT_MS = 60_000;
const TIMED_BOOTS = 50; // after which the machine's best is known: the first ones run code that is not yet optimised
const PLAN_TIMEOUT_MS = 20_000;
const RESTORE_TIMEOUT_MS = 20_000;
const MAX_SLACK = 4; // how many times slower than at its best the machine may be counted
const MOST_SLACKENED_MS = 120_000; // a limit is not stretched beyond this
const ALIVE_EVERY_MS = 20_000;
const ALONE_PATIENCE_MS = 2_000; // after which a run that wants to be alone stops others from starting
const MAX_RESULTS_CHARACTERS = 16 << 20; // of one run
/** What the canary gives in an interpreter in order. */
const CANARY = "([i2a;[s'1's'4']s'0004-'i2;]i6;i1;i2;Ti56bc75e2d63100000;s'aaa')";

type Files = Pick<Boot, "urls" | "module" | "stdlib" | "lock">;

/** A worker with one interpreter, and what it is doing. */
interface Slot {
  readonly name: string;
  worker: Worker | null;
  port: MessagePort | null;
  state: "booting" | "idle" | "running" | "restoring" | "broken";
  /** Runs since it booted. */
  used: number;
  active: Active | null;
  timer: ReturnType<typeof setTimeout> | undefined;
  bootFailures: number;
}

/** A run on its way. */
interface Active {
  /** Random, so that a message of an earlier run cannot count for this one. */
  readonly run: string;
  readonly request: Exclude<SandboxRequest, { type: "cancel" }>;
  readonly results: string[];
  readonly stepSeconds: number[];
  characters: number;
  readonly fresh: boolean;
  ended: Pick<Outcome, "end" | "message" | "stderr" | "seconds"> | null;
  begunAt: number;
  /** How many times its limits it is allowed. */
  slack: number;
  /** The limit that will run out next, as it was asked for, and when that is. */
  limitMs: number;
  deadline: number;
}

interface Waiting {
  readonly request: RunRequest;
  readonly since: number;
}

const blobUrl = (source: BlobPart) => URL.createObjectURL(new Blob([source], { type: "text/javascript" }));

class Yard {
  private readonly files: Files;
  private readonly reply: (message: SandboxReply) => void;
  private readonly workerUrl = blobUrl(workerSource);
  private readonly planner = newSlot("planner");
  private readonly slots: Slot[];
  private readonly waiting: Waiting[] = [];
  private readonly plans: Extract<SandboxRequest, { type: "plan" }>[] = [];
  private snapshot: SharedSnapshot | null;
  private readonly giveSnapshot: boolean;
  private bootFailures = 0;
  private ready = false;
  private alive: ReturnType<typeof setInterval> | undefined;
  private timedBoots = 0;
  private bestSpinMs = Infinity;
  /** Messages from workers that had the wrong shape or run. */
  private dropped = 0;

  constructor(files: Files, message: Open, snapshot: SharedSnapshot | null, reply: (message: SandboxReply) => void) {
    this.files = files;
    this.reply = reply;
    this.snapshot = snapshot;
    this.giveSnapshot = message.giveSnapshot;
    this.slots = Array.from({ length: message.workers }, (_, i) => newSlot(`interpreter ${i + 1}`));
  }

  /** Boots the planner, whose memory the others start from. */
  start(): void {
    this.boot(this.planner);
    this.alive = setInterval(() => this.reply({ type: "alive" }), ALIVE_EVERY_MS);
  }

  handle(request: SandboxRequest): void {
    if (request.type === "plan") this.plans.push(request);
    else if (request.type === "run") this.waiting.push({ request, since: performance.now() });
    else this.cancel(request.id);
    this.dispatch();
  }

  private cancel(id: number): void {
    const at = this.waiting.findIndex((item) => item.request.id === id);
    if (at >= 0) this.waiting.splice(at, 1);
    const slot = this.slots.find((candidate) => candidate.active?.request.id === id);
    if (!slot) return;
    slot.active = null;
    this.boot(slot);
  }

  // -- booting ------------------------------------------------------------------------------------------------------------------

  /** Ends the slot's worker, if any, and starts a new one. */
  private boot(slot: Slot): void {
    clearTimeout(slot.timer);
    slot.worker?.terminate();
    slot.port?.close();
    const { port1, port2 } = new MessageChannel();
    const worker = new Worker(this.workerUrl);
    Object.assign(slot, { worker, port: port1, state: "booting", used: 0 } satisfies Partial<Slot>);
    slot.timer = setTimeout(() => this.bootFailed(slot, "it did not start in time"), BOOT_TIMEOUT_MS);
    port1.onmessage = (event: MessageEvent<unknown>) => this.report(slot, port1, event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      if (slot.worker === worker) this.workerFailed(slot, event.message);
    };
    const snapshot = this.snapshot;
    const makeSnapshot = slot === this.planner && !snapshot && this.bootFailures < 2;
    const message: Boot = { ...this.files, snapshot, makeSnapshot, first: this.timedBoots < TIMED_BOOTS };
    worker.postMessage(message, [port2]);
  }

  private booted(slot: Slot, report: Extract<Report, { type: "booted" }>): void {
    if (report.canary !== CANARY) {
      this.bootFailed(slot, `its first sums came out as ${report.canary}`);
      return;
    }
    clearTimeout(slot.timer);
    slot.state = "idle";
    slot.bootFailures = 0;
    if (report.spinMs !== null) {
      this.timedBoots++;
      this.bestSpinMs = Math.min(this.bestSpinMs, report.spinMs);
    }
    if (slot === this.planner && !this.ready)
      this.startInterpreters(report.snapshot ?? null).catch((error: unknown) => this.giveUp(String(error)));
    this.dispatch();
  }

  /** The planner is there: the interpreters start from its memory. */
  private async startInterpreters(made: ArrayBuffer | null): Promise<void> {
    this.ready = true;
    if (made) this.snapshot = await shareSnapshot(made);
    for (const slot of this.slots) this.boot(slot);
    this.reply({ type: "ready", snapshot: this.giveSnapshot ? made : null });
  }

  /** A snapshot that does not boot is given up; a worker that does not boot from nothing is broken. */
  private bootFailed(slot: Slot, message: string): void {
    slot.bootFailures++;
    this.bootFailures++;
    if (slot.bootFailures <= 2) {
      this.snapshot = null;
      this.boot(slot);
      return;
    }
    clearTimeout(slot.timer);
    slot.worker?.terminate();
    slot.state = "broken";
    if (slot === this.planner || this.slots.every((other) => other.state === "broken")) this.giveUp(message);
  }

  private giveUp(message: string): void {
    clearInterval(this.alive);
    this.reply({ type: "broken", message: `The Python sandbox could not start: ${message}` });
    for (const { request } of this.waiting.splice(0)) this.reply({ type: "failed", id: request.id, message });
    for (const request of this.plans.splice(0)) this.reply({ type: "failed", id: request.id, message });
  }

  private workerFailed(slot: Slot, message: string): void {
    if (slot.state === "booting") this.bootFailed(slot, message);
    else if (slot.active) this.endRun(slot, "crash", message);
    else this.boot(slot);
    this.dispatch();
  }

  // -- handing out --------------------------------------------------------------------------------------------------------------

  private dispatch(): void {
    if (this.planner.state === "idle") {
      const request = this.plans.shift();
      if (request) this.startPlan(request);
    }
    for (let next = this.nextRun(); next; next = this.nextRun()) this.startRun(next.slot, next.waiting);
  }

  /** The next run that can start now and the interpreter for it. */
  private nextRun(): { slot: Slot; waiting: Waiting } | null {
    const busy = this.slots.some((slot) => slot.state === "running" || slot.state === "restoring");
    const lone = this.waiting.find((item) => item.request.alone);
    const aloneIsRunning = this.slots.some((slot) => slot.active?.request.type === "run" && slot.active.request.alone);
    if (aloneIsRunning) return null;
    const patient = lone && performance.now() - lone.since > ALONE_PATIENCE_MS;
    if (lone && (patient || !this.waiting.some((item) => !item.request.alone))) return busy ? null : this.slotFor([lone]);
    return this.slotFor(this.waiting.filter((item) => !item.request.alone));
  }

  /**
   * The first of `items` for which there is an interpreter. One that needs it fresh waits for the next that has booted, while those
   * that do not use the others; where none is booting an idle one is replaced, so that nobody waits for ever.
   */
  private slotFor(items: readonly Waiting[]): { slot: Slot; waiting: Waiting } | null {
    const idle = this.slots.filter((slot) => slot.state === "idle");
    const [unused, used] = [idle.find((slot) => slot.used === 0), idle.find((slot) => slot.used > 0)];
    const [first] = items;
    if (!first) return null;
    if (unused) return { slot: unused, waiting: items.find((item) => item.request.fresh) ?? first };
    if (first.request.fresh && used && !this.slots.some((slot) => slot.state === "booting")) {
      this.boot(used);
      return this.slotFor(items);
    }
    const waiting = items.find((item) => !item.request.fresh);
    return used && waiting ? { slot: used, waiting } : null;
  }

  private startPlan(request: Extract<SandboxRequest, { type: "plan" }>): void {
    const slot = this.planner;
    const active = newActive(request, false);
    slot.active = active;
    slot.state = "running";
    slot.timer = setTimeout(() => {
      this.reply({ type: "failed", id: request.id, message: "the tests took too long to read" });
      slot.active = null;
      this.boot(slot);
    }, PLAN_TIMEOUT_MS);
    this.post(slot, {
      type: "plan",
      run: active.run,
      entryPoint: request.entryPoint,
      setup: request.setup,
      tests: JSON.stringify(request.tests),
    });
  }

  private startRun(slot: Slot, waiting: Waiting): void {
    this.waiting.splice(this.waiting.indexOf(waiting), 1);
    const { request } = waiting;
    const active = newActive(request, slot.used === 0);
    slot.active = active;
    slot.state = "running";
    slot.used++;
    // Until the answer begins the interpreter has time as for booting; then the answer's own limit counts.
    slot.timer = setTimeout(() => this.endRun(slot, "infra_error", "the interpreter did not begin"), BOOT_TIMEOUT_MS);
    const { program, entryPoint, prelude, setup, steps, alone: spin, fresh: last } = request;
    this.post(slot, { type: "run", run: active.run, program, entryPoint, prelude, setup, steps, spin, last });
  }

  private post(slot: Slot, job: Job): void {
    slot.port?.postMessage(job);
  }

  // -- reports ------------------------------------------------------------------------------------------------------------------

  private report(slot: Slot, port: MessagePort, message: unknown): void {
    if (port !== slot.port) return; // of a worker that was ended
    const parsed = v.safeParse(reportSchema, message);
    const report = parsed.success ? parsed.output : null;
    if (report?.type === "booted" && slot.state === "booting") this.booted(slot, report);
    else if (report?.type === "boot_failed" && slot.state === "booting") this.bootFailed(slot, report.message);
    else if (report && "run" in report && slot.active?.run === report.run) this.runReport(slot, slot.active, report);
    else this.dropped++;
  }

  private runReport(slot: Slot, active: Active, report: Extract<Report, { run: string }>): void {
    switch (report.type) {
      case "begun":
        this.begun(slot, active, report.spinMs);
        break;
      case "result":
        this.addResult(slot, active, report);
        break;
      case "output_limit":
        this.endRun(slot, "output_limit", "the answer printed too much");
        break;
      case "planned":
        if (active.request.type === "plan") this.reply({ type: "planned", id: active.request.id, plan: report.plan });
        break;
      case "end":
        this.ended(slot, active, report);
        break;
      case "restored":
        this.restored(slot, active, report);
        break;
    }
  }

  private addResult(slot: Slot, active: Active, { text, seconds }: Extract<Report, { type: "result" }>): void {
    active.characters += text.length;
    if (active.characters > MAX_RESULTS_CHARACTERS) {
      this.endRun(slot, "output_limit", "the answer gave too much back");
      return;
    }
    active.results.push(text);
    active.stepSeconds.push(seconds);
    if (active.request.type === "run" && active.request.stepTimeoutsMs.length > 0 && !active.ended)
      this.startStep(slot, active, active.request);
  }

  /** Sets the timer for the step that runs now: its own limit, or what is left of the limit for all of it. */
  private startStep(slot: Slot, active: Active, request: RunRequest): void {
    const whole = wholeLimitMs(active);
    const left = active.begunAt + whole - performance.now();
    const own = (request.stepTimeoutsMs[active.results.length] ?? Infinity) * active.slack;
    active.limitMs = own < left ? own / active.slack : request.timeoutMs; // as it was asked for: how slow the machine is differs from run to run
    active.deadline = performance.now() + Math.min(own, left);
    clearTimeout(slot.timer);
    slot.timer = setTimeout(() => this.endRun(slot, "timeout", ""), Math.max(0, Math.min(own, left)));
  }

  private begun(slot: Slot, active: Active, spinMs: number): void {
    if (active.request.type !== "run" || active.begunAt) return;
    if (active.request.alone) this.bestSpinMs = Math.min(this.bestSpinMs, spinMs);
    active.slack = active.request.alone ? Math.min(MAX_SLACK, Math.max(1, spinMs / this.bestSpinMs)) : 1;
    active.begunAt = performance.now();
    this.startStep(slot, active, active.request);
  }

  private ended(slot: Slot, active: Active, report: Extract<Report, { type: "end" }>): void {
    if (active.ended || !active.begunAt) return;
    clearTimeout(slot.timer);
    const seconds = (performance.now() - active.begunAt) / 1000;
    if (report.kind !== "done") {
      this.endRun(slot, report.kind, report.message);
      return;
    }
    const late = Math.min(seconds, report.seconds) * 1000 > wholeLimitMs(active);
    active.ended = {
      end: late ? "timeout" : "done",
      message: report.message,
      stderr: report.stderr,
      seconds: Math.min(seconds, report.seconds),
    };
    if (active.request.type === "run" && active.request.fresh) {
      this.finish(slot, active, true);
      return;
    }
    slot.state = "restoring";
    slot.timer = setTimeout(() => this.finish(slot, active, false), RESTORE_TIMEOUT_MS);
  }

  private restored(slot: Slot, active: Active, report: Extract<Report, { type: "restored" }>): void {
    clearTimeout(slot.timer);
    if (active.request.type === "plan") {
      slot.active = null;
      slot.state = "idle";
      if (report.canary !== CANARY) this.boot(slot);
      this.dispatch();
    } else if (active.ended) {
      this.finish(slot, active, !report.clean || report.canary === CANARY, report.clean);
    } else {
      this.endRun(slot, "infra_error", "the interpreter ended without a result");
    }
  }

  /** Ends a run from outside: the interpreter is replaced. */
  private endRun(slot: Slot, end: Outcome["end"], message: string): void {
    const active = slot.active;
    if (!active) return;
    slot.worker?.terminate();
    if (active.request.type === "plan")
      this.reply({ type: "failed", id: active.request.id, message: `the tests could not be read: ${message}` });
    const seconds = active.begunAt ? (performance.now() - active.begunAt) / 1000 : 0;
    active.ended ??= { end, message, stderr: "", seconds };
    this.finish(slot, active, true, false);
  }

  /** Gives the outcome of a run, and the interpreter to the next one, or a new one when it cannot go on. */
  private finish(slot: Slot, active: Active, healthy: boolean, reusable = healthy): void {
    slot.active = null;
    if (active.ended) {
      this.reply({
        type: "outcome",
        id: active.request.id,
        ...active.ended,
        results: active.results,
        stepSeconds: active.stepSeconds,
        limitMs: active.limitMs,
        overrunMs: active.ended.end === "timeout" ? Math.max(0, performance.now() - active.deadline) : 0,
        fresh: active.fresh,
        healthy,
        dropped: this.dropped,
      });
    }
    const fresh = active.request.type === "run" && active.request.fresh;
    if (reusable && healthy && !fresh) slot.state = "idle";
    else this.boot(slot);
    this.dispatch();
  }
}

function newSlot(name: string): Slot {
  return { name, worker: null, port: null, state: "broken", used: 0, active: null, timer: undefined, bootFailures: 0 };
}

function newActive(request: Active["request"], fresh: boolean): Active {
  const nothingYet = { results: [], stepSeconds: [], characters: 0, ended: null, begunAt: 0, slack: 1, limitMs: 0, deadline: Infinity };
  return { run: crypto.randomUUID(), request, fresh, ...nothingYet };
}

function wholeLimitMs({ request, slack }: Active): number {
  if (request.type !== "run") return Infinity;
  return Math.max(request.timeoutMs, Math.min(request.timeoutMs * slack, MOST_SLACKENED_MS));
}

/** Pyodide's lock file without its packages: none of them is here to be loaded. */
function emptyLock(file: ArrayBuffer): string {
  const { info } = v.parse(v.object({ info: v.unknown() }), JSON.parse(new TextDecoder().decode(file)));
  return JSON.stringify({ info, packages: {} });
}

async function open(message: Open, port: MessagePort): Promise<void> {
  const reply = (answer: SandboxReply) => port.postMessage(answer);
  const { files } = message;
  try {
    const yard = new Yard(
      {
        urls: { "pyodide.mjs": blobUrl(files["pyodide.mjs"]), "pyodide.asm.mjs": blobUrl(files["pyodide.asm.mjs"]) },
        module: await WebAssembly.compile(files["pyodide.asm.wasm"]),
        stdlib: await shareFile(files["python_stdlib.zip"]),
        lock: emptyLock(files["pyodide-lock.json"]),
      },
      message,
      message.snapshot && (await shareSnapshot(message.snapshot)),
      reply,
    );
    port.onmessage = (event: MessageEvent<unknown>) => yard.handle(v.parse(requestSchema, event.data));
    yard.start();
  } catch (error) {
    reply({ type: "broken", message: `The Python sandbox could not start: ${String(error)}` });
  }
}

// No policy of this Chromium's holds WebRTC back (it ignores webrtc 'block'). Workers have none; the frame, whose only script is this
// one, gives it up.
for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection"]) {
  Object.defineProperty(self, name, { value: undefined, writable: false, configurable: false });
}

addEventListener("message", (event: MessageEvent<unknown>) => {
  const port = event.ports[0];
  const message = v.safeParse(openSchema, event.data);
  if (event.source === parent && port && message.success) void open(message.output, port);
});
