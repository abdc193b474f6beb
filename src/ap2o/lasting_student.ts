// A student who outlives its GPU. When the device is lost, or fails in any other way, the student is opened again on a new one, brought
// back to the last lesson that counted, and asked once more: answers and steps come out as if nothing had happened.
import type { AdapterFile } from "../model/peft.ts";
import type { ReferenceStore } from "../train/references.ts";
import type { RunConfig } from "./config.ts";
import { Patience } from "./patience.ts";
import type { Ask, AskOptions, Differences, Lesson, LessonMetrics, Student, StudentFacts, StudentMemory, Written } from "./student.ts";

export interface LastingOptions {
  /** Opens a student that has learned nothing, on a device of its own; what the one before held is given up. */
  open(): Promise<Student>;
  /** Hears of every loss, in a sentence. */
  told(message: string): void;
  /** A clock in ms. */
  now(): number;
}

export class LastingStudent implements Student {
  readonly #options: LastingOptions;
  #student: Student;
  /** What brings a new student to where this one is: its sittings' plans, its lessons' beginning, a memory, the lessons since. */
  readonly #plans: { prompts: readonly string[]; maxNewTokens: number }[] = [];
  #begun: { config: RunConfig; totalSteps: number; references: ReferenceStore } | null = null;
  #memory: StudentMemory | null = null;
  #since: (readonly Lesson[])[] = [];
  #recalled: AdapterFile | null = null;
  readonly #patience: Patience;

  private constructor(student: Student, options: LastingOptions) {
    this.#student = student;
    this.#options = options;
    this.#patience = new Patience({ ...options, kept: () => "nothing that was written is lost" });
  }

  static async open(options: LastingOptions): Promise<LastingStudent> {
    return new LastingStudent(await options.open(), options);
  }

  renderChat = (messages: { role: string; content: string }[]): string => this.#student.renderChat(messages);

  prepare(prompts: readonly string[], maxNewTokens: number): void {
    this.#plans.push({ prompts, maxNewTokens });
    this.#student.prepare(prompts, maxNewTokens);
  }

  async *write(questions: readonly Ask[], options: AskOptions): AsyncGenerator<Written> {
    const missing = new Set(questions.keys());
    while (missing.size > 0) {
      const asked = [...missing].map((index) => ({ question: questions[index]!, index }));
      const written = this.#student.write(
        asked.map(({ question }) => question),
        options,
      );
      try {
        for await (const one of written) {
          this.#patience.worked();
          const { index } = asked[one.index]!;
          missing.delete(index);
          yield { ...one, index };
        }
        return;
      } catch (error) {
        await this.#patience.recover(error, this.#replace);
      }
    }
  }

  compare(pair: Parameters<Student["compare"]>[0], unit: Parameters<Student["compare"]>[1]): Differences {
    return this.#student.compare(pair, unit);
  }

  begin(config: RunConfig, totalSteps: number, references: ReferenceStore): void {
    this.#begun = { config, totalSteps, references };
    this.#memory = null;
    this.#since = [];
    this.#student.begin(config, totalSteps, references);
  }

  async learn(batch: readonly Lesson[]): Promise<LessonMetrics> {
    const metrics = await this.#insist((student) => student.learn(batch));
    this.#since.push(batch);
    this.#recalled = null;
    return metrics;
  }

  weights(): Promise<AdapterFile> {
    return this.#insist((student) => student.weights());
  }

  recall(weights: AdapterFile): void {
    this.#recalled = weights;
    this.#student.recall(weights);
  }

  async memory(): Promise<StudentMemory> {
    const memory = await this.#insist((student) => student.memory());
    this.#memory = memory;
    this.#since = [];
    return memory;
  }

  remember(memory: StudentMemory): void {
    this.#memory = memory;
    this.#since = [];
    this.#recalled = null;
    this.#student.remember(memory);
  }

  facts(): StudentFacts {
    return this.#student.facts();
  }

  #insist<T>(work: (student: Student) => Promise<T>): Promise<T> {
    return this.#patience.insist(() => work(this.#student), this.#replace);
  }

  /** A new student where this one is. */
  #replace = async (): Promise<void> => {
    this.#student = await this.#options.open();
    await this.#catchUp(this.#student);
  };

  async #catchUp(student: Student): Promise<void> {
    for (const { prompts, maxNewTokens } of this.#plans) student.prepare(prompts, maxNewTokens);
    if (this.#begun) student.begin(this.#begun.config, this.#begun.totalSteps, this.#begun.references);
    if (this.#memory) student.remember(this.#memory);
    for (const batch of this.#since) await student.learn(batch);
    if (this.#recalled) student.recall(this.#recalled);
  }
}
