// A GPU that is lost while no run goes on: it is replaced, and given up when that happens three times within a minute.
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { serveFolder } from "../../scripts/serve.mjs";
import { LossLimit } from "../../src/ap2o/loss_limit.ts";
import type * as Device from "../../src/gpu/device.ts";
import { EngineDriver } from "../../src/worker/engine.ts";
import type { Event } from "../../src/worker/protocol.ts";

const opened = vi.hoisted(() => [] as GPUDevice[]);
vi.mock("../../src/gpu/device.ts", async (original) => {
  const real = await original<typeof Device>();
  const openDevice: typeof Device.openDevice = async (power) => {
    const one = await real.openDevice(power);
    opened.push(one.device);
    return one;
  };
  return { ...real, openDevice };
});

const server = await serveFolder(join(import.meta.dirname, "../../public"), 0);
afterAll(() => server?.close());

test("the third loss within a minute is one too many; losses of long ago do not count", () => {
  const limit = new LossLimit();
  expect([0, 30_000, 59_000].map((at) => limit.reachedAt(at))).toEqual([false, false, true]);
  const slow = new LossLimit();
  expect([0, 61_000, 122_000, 183_000].map((at) => slow.reachedAt(at))).toEqual([false, false, false, false]);
});

test("an idle engine opens another device and loads its model again, twice; then it says what to do", async () => {
  const events: Event[] = [];
  const engine = new EngineDriver((event) => void events.push(event));
  const count = (type: Event["type"]) => events.filter((event) => event.type === type).length;
  await engine.handle({ type: "open", id: 1, base: server?.url ?? "", power: "high-performance" });
  expect(events.at(-1)).toEqual({ type: "done", id: 1 });
  for (const models of [2, 3]) {
    opened.at(-1)?.destroy();
    await vi.waitFor(() => expect(count("checked")).toBe(models), { timeout: 30_000 });
  }
  await engine.handle({ type: "generate", id: 2, prompt: "def f(x):\n", adapter: null, temperature: 0, maxNewTokens: 2, seed: 1 });
  expect(events.at(-1)).toEqual({ type: "done", id: 2 });
  expect(count("failed")).toBe(0);
  opened.at(-1)?.destroy();
  await vi.waitFor(() => expect(count("failed")).toBe(1), { timeout: 30_000 });
  expect(events.at(-1)).toMatchObject({
    id: null,
    message: expect.stringMatching(
      /^The GPU failed 3 times within a minute \(it was lost while nothing went on\): close what else uses it/,
    ),
  });
  expect(opened).toHaveLength(3);
});
