// A GPU that is lost at any dispatch: the student goes on with a new one and gives the same answers, metrics and weights.
import { expect, test } from "vitest";
import { newStudent } from "../../src/ap2o/engine_student.ts";
import { LastingStudent } from "../../src/ap2o/lasting_student.ts";
import { configOf } from "../../src/ap2o/presets.ts";
import type { Student } from "../../src/ap2o/student.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpu, GpuFailure } from "../../src/gpu/gpu.ts";
import { loadModel } from "../../src/model/model.ts";
import { memoryReferences } from "../../src/train/references.ts";
import { modelFiles } from "../golden/golden.ts";

const config = configOf("smoke", "dyn-dpo", 5, { learning_rate: 5e-2, warmup_steps: 0 });
const device = { vendor: "test", architecture: "", description: "", limits: {}, features: [] };
/** Points at which the device is lost: `npm run verify -- reliability` asks for 20, over four lessons; here it is lost while it writes. */
const POINTS = Number(process.env.FAULT_POINTS ?? 1);
const lessons = (POINTS > 1 ? ["x", "y", "z", "w"] : []).map((name) => [
  { prompt: "def f(x):\n", chosen: `    return ${name}`, rejected: "    return 1 + 1" },
]);
const asks = [1, 2, 3].map((stream) => ({ prompt: "def f(x):\n", stream }));

/** A GPU whose device is destroyed from outside at its n-th dispatch. */
class FragileGpu extends Gpu {
  dispatches = 0;
  dieAt = Number.POSITIVE_INFINITY;

  override run(...args: Parameters<Gpu["run"]>): void {
    super.run(...args);
    this.dispatches += 1;
    if (this.dispatches === this.dieAt) this.device.destroy();
  }
}

/** Opens students whose devices die at the dispatches given, one after the other; the one after them lasts. */
function opener(deaths: readonly number[]) {
  const gpus: FragileGpu[] = [];
  const told: string[] = [];
  const open = async () => {
    const gpu = new FragileGpu((await openDevice()).device);
    const model = await loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f32" });
    gpu.dieAt = deaths[gpus.length] ?? Number.POSITIVE_INFINITY;
    gpu.dispatches = 0;
    gpus.push(gpu);
    return newStudent({ gpu, model, device }, config);
  };
  return { open, gpus, told, close: () => gpus.forEach((gpu) => void gpu.destroy()) };
}

/** Answers before and after four lessons, their metrics, and the weights: all that a run would keep. */
async function story(student: Student): Promise<unknown> {
  const texts = async (trained: boolean) => {
    const all: string[] = [];
    for await (const { index, text } of student.write(asks, { temperature: 1, maxNewTokens: 10, seed: 9, stop: [], trained }))
      all[index] = text;
    return all;
  };
  student.prepare(
    asks.map(({ prompt }) => prompt),
    10,
  );
  const before = await texts(false);
  student.begin(config, lessons.length, memoryReferences());
  const metrics = [];
  for (const [step, lesson] of lessons.entries()) {
    metrics.push(await student.learn(lesson));
    if (step === 1) await student.memory();
  }
  const { tensors } = await student.weights();
  return { before, metrics, after: await texts(true), weights: [...tensors].map(([name, { data }]) => [name, [...data]]) };
}

let clock = 0;

async function told(deaths: readonly number[], msPerLoss = 100_000) {
  const { open, gpus, told, close } = opener(deaths);
  const student = await LastingStudent.open({ open, told: (message) => void told.push(message), now: () => (clock += msPerLoss) });
  try {
    return { story: await story(student), told, dispatches: gpus[0]!.dispatches };
  } finally {
    close();
  }
}

test(`lost at ${POINTS} points between the first answer and the last weights: everything is equal`, {
  timeout: 120_000 * POINTS,
}, async () => {
  const whole = await told([]);
  expect(whole.told).toEqual([]);
  for (let i = 0; i < POINTS; i++) {
    const at = 1 + Math.floor(((i + 0.75) / POINTS) * (whole.dispatches - 1));
    const lost = await told([at]);
    expect(lost.told, `lost at dispatch ${at}`).toEqual([
      expect.stringMatching(/^The GPU failed \(.*\)\. The work goes on with a new device/),
    ]);
    expect(lost.story, `lost at dispatch ${at}`).toEqual(whole.story);
  }
});

test("lost three times within a minute: it stops with advice", async () => {
  await expect(told([5, 5, 5], 10)).rejects.toThrow(
    /^The GPU failed 3 times within a minute \(.*\): close what else uses it, .*; nothing that was written is lost\.$/,
  );
});

test("what is no failure of the GPU is not tried again", async () => {
  const { open, gpus, close } = opener([]);
  const student = await LastingStudent.open({ open, told: () => {}, now: () => 0 });
  await expect(student.memory()).rejects.toThrow("The lessons have not begun.");
  expect(gpus.length).toBe(1);
  close();
});

test("a buffer that does not fit and a kernel that cannot be made are named at the next readback", async () => {
  const { device } = await openDevice();
  const gpu = new Gpu(device);
  const small = gpu.alloc("small", [4]);
  gpu.alloc("the whole vocabulary", [2 ** 40]);
  await expect(gpu.read(small)).rejects.toThrow(GpuFailure);
  await expect(gpu.read(small)).rejects.toThrow(/^no room on the GPU for the whole vocabulary \(4194304 MiB\): /);
  gpu.destroy();
});

test("a device that is gone hands out no zeros", async () => {
  const { device } = await openDevice();
  const gpu = new Gpu(device);
  const tensor = gpu.upload("ones", [3], Float32Array.of(1, 1, 1));
  expect([...(await gpu.read(tensor))]).toEqual([1, 1, 1]);
  const reading = gpu.read(tensor);
  device.destroy();
  await expect(reading).rejects.toThrow(GpuFailure);
  await expect(gpu.read(tensor)).rejects.toThrow(GpuFailure);
});
