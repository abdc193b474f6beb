// Waiting for the GPU leaves the processor to an adapter that computes on it.
import { expect, test } from "vitest";
import { waitRestfully } from "../../src/gpu/device.ts";

/** How often something that asks as Dawn does, without pause, comes to ask while `wait` goes on. */
async function questionsDuring(wait: () => Promise<unknown>): Promise<number> {
  let asked = 0;
  let going = true;
  const ask = () => {
    asked += 1;
    if (going) setImmediate(ask);
  };
  setImmediate(ask);
  await wait();
  going = false;
  return asked;
}

const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms, "done"));

test("the thread sleeps between two questions, and no longer than the wait", async () => {
  expect(await questionsDuring(() => waitRestfully(after(100)))).toBeLessThan(600); // 500 sleeps of 0.2 ms
  const rested = performance.now();
  expect(await waitRestfully(after(5))).toBe("done");
  expect(performance.now() - rested).toBeLessThan(100);
  await expect(waitRestfully(Promise.reject(new Error("lost")))).rejects.toThrow("lost");
  expect(await questionsDuring(() => after(100))).toBeGreaterThan(1000);
});
