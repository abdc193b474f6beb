// A student and a judge without a GPU and without Python: the student's skill is one number, its answers say how they fail.
import type { RunConfig } from "../../src/ap2o/config.ts";
import { configOf } from "../../src/ap2o/presets.ts";
import type { Ask, AskOptions, Lesson, Student, StudentFacts, StudentMemory, Written } from "../../src/ap2o/student.ts";
import type { Judge, JudgeRequest, Verdict } from "../../src/python/judge.ts";
import { integer, uniform } from "../../src/random.ts";
import type { Problem, Split } from "../../src/tasks/problem.ts";
import { memoryReferences, type ReferenceStore } from "../../src/train/references.ts";

const TYPES = ["AssertionError", "AssertionError", "AssertionError", "TypeError", "TypeError", "NameError", "infra"];

/** `count` problems of each split. */
export function fakeProblems(count: number): Problem[] {
  const splits: Split[] = ["train", "validation", "evaluation"];
  return splits.flatMap((split) =>
    Array.from({ length: count }, (_, i) => ({
      taskId: `Fake/${split}/${i}`,
      prompt: `def ${split}${i}():\n`,
      entryPoint: `${split}${i}`,
      tests: [`assert ${split}${i}() == 1`],
      split,
    })),
  );
}

export function fakeConfig({ seed = 7, ...overrides }: Record<string, number | string | boolean> = {}, method = "ap2o-h2l"): RunConfig {
  return configOf("smoke", method, Number(seed), overrides);
}

/** Passes with probability `skill`, which every lesson moves by `gain`. Answers finish in an order of their own. */
export class FakeStudent implements Student {
  skill: number;
  tokens = 0;
  readonly gain: (step: number) => number;
  readonly lessons: Lesson[][] = [];
  references = memoryReferences();
  /** References that were not known, and are kept now. */
  computed = 0;
  /** How many problems' answers are written before the first one is handed over in reverse. */
  readonly batch: number;

  #peak = 0;
  /** What optimiser and workspace take once lessons were learned. */
  #training = 0;

  constructor({ skill = 0.5, gain = () => 0.02, batch = 5 }: { skill?: number; gain?: (step: number) => number; batch?: number } = {}) {
    this.skill = skill;
    this.gain = gain;
    this.batch = batch;
  }

  renderChat(): string {
    throw new Error("the fake's prompts are raw");
  }

  prepare(): void {}

  async *write(questions: readonly Ask[], { trained, seed }: AskOptions): AsyncGenerator<Written> {
    const skill = trained ? this.skill : 0.5;
    if (questions.length > 0) this.#use(1000 + questions.length); // as activations and a cache take it
    for (let from = 0; from < questions.length; from += this.batch) {
      const indices = questions.slice(from, from + this.batch).map((_, i) => from + i);
      for (const index of indices.reverse()) {
        const { stream } = questions[index]!;
        const variant = integer(seed, stream, 1, 40);
        const passes = uniform(seed, stream, 0) < skill;
        const type = TYPES[integer(seed, stream, 2, TYPES.length)];
        const ended = integer(seed, stream, 3, 10) === 0 ? ("length" as const) : ("end_token" as const);
        yield { index, text: `    ${passes ? "pass" : type} # ${variant}`, ended, flops: 1 + variant, promptFlops: 100 };
      }
    }
  }

  begin(_config: RunConfig, _totalSteps: number, references: ReferenceStore): void {
    this.references = references;
  }

  compare({ prompt, chosen, rejected }: { prompt: string; chosen: string; rejected: string }) {
    const mask = (text: string, other: string) => [...text].map((letter, i) => Number(letter !== other[i]));
    const places = (text: string, other: string) =>
      mask(text, other).flatMap((differs, i): [number, number][] => (differs === 1 ? [[i, i + 1]] : []));
    return {
      chosen: mask(chosen, rejected),
      rejected: mask(rejected, chosen),
      chosenPlaces: places(chosen, rejected),
      rejectedPlaces: places(rejected, chosen),
      tokens: prompt.length + Math.max(chosen.length, rejected.length),
    };
  }

  async learn(batch: readonly Lesson[]) {
    this.lessons.push([...batch]);
    this.#training = 500;
    this.#use(0);
    this.skill = Math.fround(this.skill + this.gain(this.lessons.length)); // as weights are kept
    const tokens = batch.length * 10;
    this.tokens += tokens;
    for (const { prompt, chosen, rejected = "" } of batch) {
      const key = JSON.stringify([prompt, chosen, rejected]);
      if (this.references.get(key)) continue;
      await this.references.keep(key, { chosen: Float32Array.of(-chosen.length / 3), rejected: Float32Array.of(-rejected.length / 3) });
      this.computed += 1;
    }
    const work = { tokens, flops: 1000 * batch.length, referenceFlops: batch.map(() => 7) };
    return { loss: 0.69, grad_norm: 1, learning_rate: 1e-4, entropy: 1, num_tokens: this.tokens, mean_token_accuracy: 0.5, ...work };
  }

  async weights() {
    const config = { r: 1, lora_alpha: 1, target_modules: [], use_rslora: false };
    return { config, tensors: new Map([["skill", { shape: [1], data: Float32Array.of(this.skill) }]]) };
  }

  recall({ tensors }: { tensors: ReadonlyMap<string, { data: Float32Array }> }): void {
    this.skill = tensors.get("skill")!.data[0]!;
  }

  async memory(): Promise<StudentMemory> {
    const moments = new Map([["lessons", { shape: [1], data: Float32Array.of(this.lessons.length) }]]);
    const counters = { steps: this.lessons.length, updates: this.lessons.length, tokens: this.tokens, longest: 0 };
    return { weights: await this.weights(), expAvg: moments, expAvgSq: new Map(), counters };
  }

  remember({ weights, counters }: StudentMemory): void {
    this.recall(weights);
    this.lessons.length = counters.steps;
    if (counters.steps > 0) this.#training = 500;
    this.tokens = counters.tokens;
  }

  #use(bytes: number): void {
    this.#peak = Math.max(this.#peak, bytes + this.#training);
  }

  facts(): StudentFacts {
    return { model: { id: "fake" }, memoryPeak: this.#peak };
  }
}

/** Reads the verdict off the program. */
export class FakeJudge implements Judge {
  readonly #waits: boolean;

  /** @param waits false: verdicts are there at once */
  constructor(waits = true) {
    this.#waits = waits;
  }

  async judge(requests: readonly JudgeRequest[]): Promise<Verdict[]> {
    if (this.#waits) await new Promise((resolve) => setTimeout(resolve, requests.length % 3));
    return requests.map(({ program }) => verdictOf(/(\w+) # \d+$/.exec(program)?.[1] ?? "NameError"));
  }

  async close(): Promise<void> {}
}

function verdictOf(word: string): Verdict {
  const passed = word === "pass" || word === "infra";
  return {
    verdict: word === "pass" ? "pass" : word === "infra" ? "infra_error" : word === "AssertionError" ? "wrong_answer" : "runtime_error",
    errorType: passed ? "" : word,
    errorLabel: passed ? "" : word === "AssertionError" ? "WrongResult" : word,
    line: null,
    message: "",
    test: null,
    expected: null,
    got: null,
    stderrTail: "",
    inside: false,
    seconds: 0,
  };
}

/** A clock that moves by a millisecond whenever it is read. */
export function fakeClock(): () => number {
  let time = 0;
  return () => time++;
}
