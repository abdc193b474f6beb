// Whole runs of the engine's driver on a real device that is destroyed from outside, after a step and at the end.
// Only the sandbox and the browser's storage are played.
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { serveFolder } from "../../scripts/serve.mjs";
import type * as Device from "../../src/gpu/device.ts";
import type { RunEvent } from "../../src/records.ts";
import { EngineDriver } from "../../src/worker/engine.ts";
import type { Event } from "../../src/worker/protocol.ts";
import { MemoryFolder } from "../faults/memory_folder.ts";
import { keptFiles } from "./fake_machine.ts";

const opened = vi.hoisted(() => [] as GPUDevice[]);
let folder = new MemoryFolder();
vi.mock("../../src/gpu/device.ts", async (original) => {
  const real = await original<typeof Device>();
  const openDevice: typeof Device.openDevice = async (power) => {
    const one = await real.openDevice(power);
    opened.push(one.device);
    return one;
  };
  return { ...real, openDevice };
});
vi.mock("../../src/storage/opfs_folder.ts", () => ({ opfsFolder: async () => folder }));
vi.mock("../../src/python/sandbox_judge.ts", async () => ({ SandboxJudge: (await import("./fake_machine.ts")).EvenSandbox }));

const server = await serveFolder(join(import.meta.dirname, "../../public"), 0);
afterAll(() => server?.close());

const overrides = {
  exam_n: 5,
  evaluation_n: 1,
  quiz_n: 1,
  steps: 1,
  quiz_steps: 1,
  batch_size: 2,
  max_new_tokens: 60,
  training_problems: 2,
  validation_problems: 1,
  evaluation_problems: 1,
};

/** Where the device is lost: after these events, once each. */
const MOMENTS: Record<string, (event: RunEvent) => boolean> = {
  "the step, before the quiz": (event) => event.type === "step",
  "the last evaluation's answers": (event) => event.type === "answer" && event.answer.phase === "after",
};

async function run(moments: readonly ((event: RunEvent) => boolean)[]) {
  folder = new MemoryFolder();
  const left = [...moments];
  const events: Event[] = [];
  const engine = new EngineDriver((event) => {
    events.push(event);
    const [moment] = left;
    if (!moment || !isOfRun(event) || !moment(event)) return;
    left.shift();
    passed += 61_000; // losses of long ago do not count
    opened.at(-1)?.destroy();
  });
  await engine.handle({ type: "open", id: 1, base: server?.url ?? "", power: "high-performance" });
  await engine.handle({ type: "sandbox", id: 2, port: new MessageChannel().port1 });
  await engine.handle({ type: "start", id: 3, run: { preset: "smoke", method: "ap2o-h2l", seed: 1, overrides, from: null } });
  expect(events.at(-1)).toEqual({ type: "done", id: 3 });
  expect(left).toEqual([]);
  return keptFiles(folder);
}

const isOfRun = (event: Event): event is RunEvent => ["stage", "answer", "step"].includes(event.type);

let passed = 0;
const { now } = performance;
vi.spyOn(performance, "now").mockImplementation(() => now.call(performance) + passed);
const locks = {
  query: async () => ({ held: [] }),
  request: (_name: string, _options: object, work: (lock: object) => Promise<void>) => work({}),
};
vi.stubGlobal("navigator", { locks, userAgent: "test" });

test("lost between a step and its quiz, and in the last evaluation: another device each time, the same files", {
  timeout: 180_000,
}, async () => {
  const whole = await run([]);
  expect(Object.keys(whole)).toContain("files/adapter_last/adapter_model.safetensors");
  const before = opened.length;
  expect(await run(Object.values(MOMENTS))).toEqual(whole);
  expect(opened.length - before).toBe(1 + Object.keys(MOMENTS).length);
});
