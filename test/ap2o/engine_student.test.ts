import { expect } from "vitest";
import { newStudent } from "../../src/ap2o/engine_student.ts";
import { configOf } from "../../src/ap2o/presets.ts";
import type { Student, StudentFacts, StudentMemory } from "../../src/ap2o/student.ts";
import { freeModel, loadModel } from "../../src/model/model.ts";
import { memoryReferences } from "../../src/train/references.ts";
import { modelFiles } from "../golden/golden.ts";
import { type Bench, gpuTest } from "../gpu.ts";

const config = configOf("smoke", "dyn-dpo", 5, { learning_rate: 5e-2, warmup_steps: 0 });
const device = { vendor: "test", architecture: "", description: "", limits: {}, features: [] };
const lesson = { prompt: "def f(x):\n", chosen: "    return x", rejected: "    return y" };

async function withStudent(
  bench: Bench,
  use: (student: ReturnType<typeof newStudent>) => Promise<void>,
  budget: number | null = null,
): Promise<void> {
  const model = await loadModel(bench.gpu, modelFiles("tiny-qwen2"), { dtype: "f32" });
  const student = newStudent({ gpu: bench.gpu, model, device, memory: { budget, checkpoint: "all" } }, config);
  await use(student);
  student.free();
  freeModel(bench.gpu, model);
}

async function texts(student: Student, trained: boolean): Promise<string[]> {
  const asks = [1, 2, 3].map((stream) => ({ prompt: lesson.prompt, stream }));
  const answers: string[] = [];
  for await (const { index, text } of student.write(asks, { temperature: 1, maxNewTokens: 12, seed: 9, stop: [], trained }))
    answers[index] = text;
  return answers;
}

gpuTest("a new student answers as the model without an adapter does, and differently once it has learned", (bench) =>
  withStudent(bench, async (student) => {
    const before = await texts(student, false);
    expect(await texts(student, true)).toEqual(before);
    student.begin(config, 4, memoryReferences());
    for (let step = 0; step < 2; step++) await student.learn([lesson]);
    expect(await texts(student, true)).not.toEqual(before);
    expect(await texts(student, false)).toEqual(before);
  }),
);

gpuTest("lessons raise the margin; recalled weights give the same lesson's metrics again", (bench) =>
  withStudent(bench, async (student) => {
    student.begin(config, 4, memoryReferences());
    const start = await student.weights();
    const first = await student.learn([lesson]);
    const second = await student.learn([lesson]);
    expect(first["rewards/margins"]).toBe(0);
    expect(second["rewards/margins"]).toBeGreaterThan(0.001);
    student.recall(start);
    expect((await student.learn([lesson])).loss).toBe(first.loss);
  }),
);

gpuTest("its facts name the model and plan the memory that it takes", (bench) =>
  withStudent(bench, async (student) => {
    student.prepare([lesson.prompt], 12);
    await texts(student, true);
    const facts = student.facts() as StudentFacts & { model: { id: string }; memoryPlan: Record<string, number> };
    expect(facts.model).toMatchObject({ id: "tiny-qwen2" });
    expect(Object.keys(facts.memoryPlan)).toEqual(["weights", "lora", "optimizer", "activations", "cache", "scratch", "total"]);
    expect(Object.values(facts.memoryPlan).every((bytes) => bytes > 0)).toBe(true);
  }),
);

gpuTest("a budget means fewer answers at once, and the same answers; too small a one is said before anything is sampled", async (bench) => {
  const total = (student: ReturnType<typeof newStudent>) => (student.facts().memoryPlan as { total: number }).total;
  let free: string[] = [];
  let needed = 0;
  await withStudent(bench, async (student) => {
    student.prepare([lesson.prompt], 12);
    needed = total(student);
    free = await texts(student, false);
  });
  const budget = needed - 1;
  await withStudent(
    bench,
    async (student) => {
      student.prepare([lesson.prompt], 12);
      expect(total(student)).toBeLessThanOrEqual(budget);
      expect(await texts(student, false)).toEqual(free);
    },
    budget,
  );
  const tooSmall = async (student: ReturnType<typeof newStudent>) => {
    expect(() => student.prepare([lesson.prompt], 12)).toThrow(/^tiny-qwen2 needs .* of GPU memory, more than the budget of 1\.0 MB/);
  };
  await withStudent(bench, tooSmall, 1e6);
});

gpuTest("a budget that few answers at once do not meet means that a pass keeps less, and the same lesson", async (bench) => {
  const planned = (student: ReturnType<typeof newStudent>) => student.facts().memoryPlan as { total: number; activations: number };
  const lessonOf = async (budget: number | null) => {
    let told = { plan: { total: 0, activations: 0 }, metrics: {} };
    await withStudent(
      bench,
      async (student) => {
        student.prepare([lesson.prompt], 12);
        student.begin(config, 4, memoryReferences());
        told = { plan: planned(student), metrics: await student.learn([lesson]) };
      },
      budget,
    );
    return told;
  };
  const free = await lessonOf(null);
  const tight = await lessonOf(free.plan.total - 0.2 * free.plan.activations);
  expect(tight.plan.activations).toBeLessThan(free.plan.activations);
  const { flops: _, ...same } = tight.metrics as Record<string, unknown>; // some is computed again
  expect(free.metrics).toMatchObject(same);
});

gpuTest("an adapter that cannot bind the largest tensor is told so in a sentence, before anything is sampled", async ({ gpu }) => {
  const model = await loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f32" });
  const small = { ...device, limits: { maxBufferSize: 2 ** 28, maxStorageBufferBindingSize: 10_000 } };
  const student = newStudent({ gpu, model, device: small }, config);
  expect(() => student.prepare([lesson.prompt], 12)).toThrow(
    /^tiny-qwen2 needs .* in one piece, more than the 0\.0 MB that this GPU binds/,
  );
  student.free();
  freeModel(gpu, model);
});

gpuTest("what differs in a pair is marked on the tokens that are trained on, and the focal loss counts only that", (bench) =>
  withStudent(bench, async (student) => {
    const pair = { prompt: "def f(x):\n", chosen: "    y = 1\n    return x", rejected: "    y = 1\n    return z + 1" };
    const { chosen, rejected, tokens } = student.compare(pair, "line");
    expect([chosen, rejected].map((mask) => mask.includes(0) && mask.includes(1))).toEqual([true, true]);
    expect(tokens).toBeGreaterThan(rejected.length);
    student.begin({ ...config, loss_type: "focal" }, 4, memoryReferences());
    const start = await student.weights();
    const whole = await student.learn([pair]);
    student.recall(start);
    const masked = await student.learn([{ ...pair, rejected_mask: rejected }]);
    expect(masked["logps/rejected"]!).toBeGreaterThan(whole["logps/rejected"]! + 1); // fewer tokens, each below 0
    expect(masked["logps/chosen"]).toBe(whole["logps/chosen"]);
  }),
);

gpuTest("a student who goes on takes as much memory as the one before did: their peaks together are that of one", async (bench) => {
  const long = { ...lesson, chosen: lesson.chosen.repeat(80) }; // its workspace is larger than the least
  const story = async (memory: StudentMemory | null) => {
    let told = { memory, learned: 0, written: 0 };
    await withStudent(bench, async (student) => {
      student.begin(config, 4, memoryReferences());
      if (memory) student.remember(memory);
      else await student.learn([long]);
      const learned = student.facts().memoryPeak;
      await texts(student, true);
      told = { memory: await student.memory(), learned, written: student.facts().memoryPeak };
    });
    return told;
  };
  const one = await story(null);
  const other = await story(one.memory);
  expect(one.written).toBeGreaterThan(one.learned);
  expect([other.learned, other.written]).toEqual([one.learned, one.written]);
});
