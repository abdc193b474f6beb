// An engine that plays a plausible run, to look at the page without a GPU and to test it quickly. It speaks the protocol of
// src/worker/protocol.ts and computes nothing.

import type { Answer, Notebook, Phase, Preference, RunEvent } from "../../src/records.ts";
import type { EngineEnd } from "../../src/worker/client.ts";
import type { Command, Event, KeptAdapter } from "../../src/worker/protocol.ts";
import { type FakeProblem, fakeProblems } from "./fake_problems.ts";
import { randomUnit } from "./fake_random.ts";

export interface FakeOptions {
  /** Times faster than a plausible software adapter; Infinity plays without waiting. */
  speed: number;
  /** What opening answers: a software adapter, a GPU, or none at all. */
  adapter: "software" | "gpu" | "none";
  steps: number;
}

const SAMPLES = 16;

interface Mind {
  /** Chance of a right answer. */
  skill: number;
  /** How much of each mistake is left, by its place in the problem's list. */
  weights: number[];
}

function pickIndex(weights: readonly number[], chance: number): number {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  let left = chance * sum;
  const index = weights.findIndex((weight) => (left -= weight) < 0);
  return index < 0 ? weights.length - 1 : index;
}

function sampleAnswer(problem: FakeProblem, phase: Phase, index: number, mind: Mind, stream: string): Answer {
  const chance = randomUnit(`${stream}/${problem.taskId}/${index}`);
  const which = randomUnit(`${stream}/${problem.taskId}/${index}/which`);
  const drafts = chance < mind.skill ? problem.right : problem.wrong;
  const draft = drafts[chance < mind.skill ? Math.floor(which * drafts.length) : pickIndex(mind.weights, which)];
  return { task_id: problem.taskId, phase, sample_index: index, split: problem.split, ended: "stop", ...draft };
}

function countErrors(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { error_type } of answers) if (error_type) counts[error_type] = (counts[error_type] ?? 0) + 1;
  return counts;
}

function passShare(answers: readonly Answer[]): number {
  return answers.filter((answer) => answer.verdict === "pass").length / answers.length;
}

function notebookOf(answers: readonly Answer[]): Notebook {
  const tasks = [...new Set(answers.map((answer) => answer.task_id))];
  const problems = tasks.map((task_id) => {
    const own = answers.filter((answer) => answer.task_id === task_id);
    const counts = countErrors(own);
    const firsts = own.filter((answer, at) => own.findIndex((other) => other.solution === answer.solution) === at);
    const types = Object.keys(counts).sort((a, b) => counts[a] - counts[b]);
    const failed = types.flatMap((type) => firsts.filter((answer) => answer.error_type === type));
    return {
      task_id,
      counts,
      passed: firsts.filter((answer) => answer.verdict === "pass").map((answer) => answer.sample_index),
      failed: failed.map(({ sample_index, error_type }) => ({ sample_index, error_type })),
    };
  });
  return { rule: "paper", scope: "problem", counts: countErrors(answers), problems, dropped: [] };
}

function pairAt(step: number, place: number, notebook: Notebook, exam: readonly Answer[]): Preference | null {
  const usable = notebook.problems.filter((problem) => problem.passed.length > 0 && problem.failed.length > 1);
  const problem = usable[Math.floor(randomUnit(`pair/${step}/${place}`) * usable.length)];
  const source = randomUnit(`source/${step}/${place}`) < 0.5 ? "window" : "replay";
  const ordered = [...problem.failed].sort((a, b) => problem.counts[b.error_type] - problem.counts[a.error_type]);
  const width = ordered.length / 10;
  const from = Math.min(ordered.length - 1, Math.floor(((step % 50) / 5) * width));
  const to = Math.max(from + 1, Math.floor(((step % 50) / 5 + 1) * width));
  const rejected = source === "window" ? ordered[from] : ordered[Math.floor(randomUnit(`replay/${step}/${place}`) * ordered.length)];
  const answerOf = (index: number) => exam.find((answer) => answer.task_id === problem.task_id && answer.sample_index === index);
  const [chosen, failed] = [answerOf(problem.passed[0]), answerOf(rejected.sample_index)];
  if (!chosen || !failed) return null;
  return {
    step,
    task_id: problem.task_id,
    prompt: "",
    chosen: chosen.completion,
    rejected: failed.completion,
    chosen_index: chosen.sample_index,
    rejected_index: failed.sample_index,
    chosen_ended: "stop",
    rejected_ended: "stop",
    error_type: failed.error_type,
    epoch: step / 10,
    window: [from, to],
    source,
    probability: 0.1,
  };
}

type Wait = { waitMs: number };

function* evaluate(phase: "before" | "after", mind: Mind): Generator<RunEvent | Wait> {
  const problems = fakeProblems().slice(0, 12);
  const answers: Answer[] = [];
  const total = problems.length * 10;
  yield { type: "stage", stage: "evaluation", phase, done: 0, total, secondsLeft: null };
  for (const problem of problems) {
    for (let index = 0; index < 10; index++) {
      const answer = sampleAnswer(problem, phase, index, mind, phase);
      answers.push(answer);
      yield { type: "answer", answer };
    }
    yield { waitMs: 200 };
    yield { type: "stage", stage: "evaluation", phase, done: answers.length, total, secondsLeft: null };
  }
  const result = { "pass@1": passShare(answers), "pass@5": 0.9, "pass@10": 0.95, n: 10, problems: 12, errors: countErrors(answers) };
  yield { type: "evaluation", phase, result };
}

function* quiz(step: number, mind: Mind, best: { pass: number }): Generator<RunEvent | Wait> {
  const problems = fakeProblems();
  const total = problems.length * 4;
  const answers: Answer[] = [];
  for (const problem of problems) {
    for (let index = 0; index < 4; index++) answers.push(sampleAnswer(problem, "quiz", index, mind, `quiz/${step}`));
    yield { type: "stage", stage: "quiz", phase: "quiz", done: answers.length, total, secondsLeft: null };
    yield { waitMs: 40 };
  }
  for (const answer of answers) yield { type: "answer", answer };
  const pass = passShare(answers);
  const isBest = step > 0 && pass > best.pass;
  if (isBest) best.pass = pass;
  yield { type: "quiz", quiz: { step, "pass@1": pass, errors: countErrors(answers), replay: {} }, best: isBest };
}

function metricsAt(step: number): Extract<RunEvent, { type: "step" }>["metrics"] {
  const noise = (name: string) => randomUnit(`${name}/${step}`) - 0.5;
  const grown = 1 - Math.exp(-step / 35);
  const chosen = 0.25 * grown - Math.max(0, step - 60) * 0.004 + 0.1 * noise("chosen");
  const rejected = -2.2 * grown + 0.3 * noise("rejected");
  return {
    step,
    epoch: step / 10,
    loss: Math.LN2 * (1 - 0.62 * grown) + 0.12 * noise("loss"),
    grad_norm: 3 - grown + noise("norm"),
    learning_rate: 3e-4,
    entropy: 0.4 - 0.1 * grown,
    num_tokens: 1500 * step,
    "logits/chosen": -1.2,
    "logits/rejected": -1.3,
    mean_token_accuracy: 0.85 + 0.05 * grown,
    "rewards/chosen": chosen,
    "rewards/rejected": rejected,
    "rewards/margins": chosen - rejected,
    "rewards/accuracies": Math.min(1, 0.5 + grown * 0.5 + 0.2 * noise("accuracy")),
    "logps/chosen": -6 + 10 * chosen,
    "logps/rejected": -9 + 10 * rejected,
    tokens_per_second: 900 + 100 * noise("rate"),
  };
}

/** Of a focal pair the failed answer's last line counts. */
function focused(pair: Preference): Preference {
  const text = pair.rejected ?? "";
  const end = text.trimEnd().length;
  return { ...pair, rejected_mask: [0, 1, 1, 0], rejected_focus: [[text.lastIndexOf("\n", end - 1) + 1, end]] };
}

function* fakeRun(options: FakeOptions, method: string): Generator<RunEvent | Wait> {
  const mind: Mind = { skill: 0.45, weights: [60, 30, 20, 30, 18, 34, 22, 24, 14, 16, 12, 6, 4] };
  const problems = fakeProblems();
  const exam: Answer[] = [];
  const total = problems.length * SAMPLES;
  for (const problem of problems) {
    for (let index = 0; index < SAMPLES; index++) exam.push(sampleAnswer(problem, "exam", index, mind, "exam"));
    yield { waitMs: 250 };
    yield { type: "stage", stage: "exam", phase: "exam", done: exam.length, total, secondsLeft: null };
    for (const answer of exam.slice(-2 * SAMPLES, -SAMPLES)) yield { type: "answer", answer };
    const judged = exam.length - SAMPLES;
    if (judged > 0) yield { type: "stage", stage: "analysis", phase: "exam", done: judged, total, secondsLeft: null };
  }
  yield { waitMs: 500 };
  for (const answer of exam.slice(-SAMPLES)) yield { type: "answer", answer };
  yield { type: "stage", stage: "analysis", phase: "exam", done: total, total, secondsLeft: null };
  const notebook = notebookOf(exam);
  yield { type: "notebook", notebook };
  yield* evaluate("before", { ...mind, skill: 0.61 });
  const best = { pass: 0 };
  yield* quiz(0, mind, best);
  for (let step = 1; step <= options.steps; step++) {
    const share = step / options.steps;
    mind.skill = 0.45 + 0.3 * share;
    mind.weights = mind.weights.map((weight, place) => (place < 3 ? weight * 0.985 : place === 5 ? weight * 0.96 : weight));
    yield { waitMs: 250 };
    const pairs = Array.from({ length: 8 }, (_, place) => pairAt(step, place, notebook, exam)).filter((pair) => pair !== null);
    yield { type: "step", steps: options.steps, metrics: metricsAt(step), pairs: method === "iterpref" ? pairs.map(focused) : pairs };
    yield { type: "stage", stage: "correction", phase: null, done: step, total: options.steps, secondsLeft: null };
    if (step % 12 === 0) yield* quiz(step, mind, best);
  }
  yield* evaluate("after", { ...mind, skill: 0.75 });
  const run = { method: "ap2o-h2l", preset: "smoke", seed: 1, config: {}, steps: options.steps, seconds: {} };
  yield { type: "finished", run };
}

/** Builds the fake engine. */
export function fakeEngine(options: FakeOptions): EngineEnd {
  const send = (event: Event) => engine.onmessage?.(new MessageEvent("message", { data: event }));
  let mode: "idle" | "running" | "paused" | "step" = "idle";
  let wake = () => {};
  const adapters: KeptAdapter[] = [];
  const setMode = (next: typeof mode) => {
    mode = next;
    wake();
  };

  async function play(id: number, method: string): Promise<void> {
    setMode("running");
    send({ type: "state", state: "running" });
    for (const item of fakeRun(options, method)) {
      while (mode === "paused") await new Promise<void>((resolve) => (wake = resolve));
      if (mode === "idle") break;
      if ("waitMs" in item) await new Promise((resolve) => setTimeout(resolve, item.waitMs / options.speed));
      else send(item);
      if (mode === "step" && "type" in item && item.type === "step") pause();
    }
    send({ type: "state", state: "finished" });
    send({ type: "done", id });
  }

  function pause(): void {
    setMode("paused");
    send({ type: "state", state: "paused" });
  }

  async function open(id: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (options.adapter === "none") return send({ type: "failed", id, message: "This browser gave no WebGPU adapter." });
    const software = { vendor: "google", architecture: "swiftshader", description: "SwiftShader Device (Subzero)" };
    const gpu = { vendor: "apple", architecture: "metal-3", description: "" };
    send({ type: "device", device: { ...(options.adapter === "gpu" ? gpu : software), limits: { maxBufferSize: 2 ** 28 }, features: [] } });
    for (let part = 1; part <= 4; part++) {
      send({ type: "progress", label: "Loading the embedded model", done: part * 480_000, total: 1_920_000 });
      await new Promise((resolve) => setTimeout(resolve, 100 / options.speed));
    }
    const model = { id: "errata-demo", parameters: 870_528, dtype: "f16", vocabularySize: 640, layers: 4, contextLength: 256 };
    send({ type: "model", model });
    send({ type: "done", id });
  }

  function handle(command: Command): void {
    if (command.type === "open") void open(command.id);
    else if (command.type === "start") void play(command.id, command.run.method);
    else {
      if (command.type === "pause") pause();
      if (command.type === "step") setMode("step");
      if (command.type === "stop") setMode("idle");
      if (command.type === "resume") {
        setMode("running");
        send({ type: "state", state: "running" });
      }
      if (command.type === "addAdapter") {
        adapters.push({ id: `adapter-${adapters.length + 1}`, name: command.name, r: 8, parameters: command.files.length });
        send({ type: "adapters", adapters: [...adapters] });
      }
      if (command.type === "export") {
        const bytes = new TextEncoder().encode("{}\n");
        const files = ["adapter/adapter_config.json", "preferences.jsonl", "samples.jsonl"].map((path) => ({ path, bytes }));
        send({ type: "exported", id: command.id, files });
      }
      send({ type: "done", id: command.id });
    }
  }

  const engine: EngineEnd = {
    onmessage: null,
    onerror: null,
    postMessage: (command) => queueMicrotask(() => handle(command)),
    terminate: () => setMode("idle"),
  };
  return engine;
}
