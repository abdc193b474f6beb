import { expect, test, vi } from "vitest";
import { RunGate } from "../../src/worker/run_gate.ts";

const settled = async (promise: Promise<unknown>) => {
  const mark = {};
  return (await Promise.race([promise, new Promise((resolve) => setTimeout(resolve, 5, mark))])) !== mark;
};

test("a running run passes, a paused one waits until it is resumed", async () => {
  const told = vi.fn();
  const gate = new RunGate(told);
  expect(await gate.pass(false)).toBe(true);
  gate.pause();
  const waiting = gate.pass(false);
  expect(await settled(waiting)).toBe(false);
  gate.resume();
  expect(await waiting).toBe(true);
  expect(told.mock.calls).toEqual([["paused"], ["running"]]);
});

test("a step ends in a pause, and only at the end of an optimiser step", async () => {
  const gate = new RunGate(() => {});
  gate.step();
  expect(await gate.pass(false)).toBe(true);
  expect(await settled(gate.pass(true))).toBe(false);
});

test("stop ends a paused run", async () => {
  const gate = new RunGate(() => {});
  gate.pause();
  const waiting = gate.pass(false);
  gate.stop();
  expect(await waiting).toBe(false);
});

test("errands run between two events, also in a pause", async () => {
  const gate = new RunGate(() => {});
  const running = gate.between(async () => "weights");
  await gate.pass(false);
  expect(await running).toBe("weights");
  gate.pause();
  void gate.pass(false);
  expect(await gate.between(async () => "again")).toBe("again");
  await expect(gate.between(() => Promise.reject(new Error("no weights")))).rejects.toThrow("no weights");
});
