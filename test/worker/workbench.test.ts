import { expect, test } from "vitest";
import type { AdapterFile } from "../../src/model/peft.ts";
import { Workbench } from "../../src/worker/workbench.ts";

const file: AdapterFile = {
  config: { r: 1, lora_alpha: 1, target_modules: [], use_rslora: false },
  tensors: new Map([["a", { shape: [2], data: new Float32Array(2) }]]),
};

test("of what runs trained the latest eight are kept, of what the user brought all", () => {
  const workbench = new Workbench();
  for (let i = 0; i < 10; i++) workbench.keep(`mine ${i}`, file);
  for (let i = 0; i < 12; i++) workbench.keepTrained(`run ${i}`, file);
  workbench.keep("the last", file);
  const names = workbench.list().map(({ name }) => name);
  expect(names.filter((name) => name.startsWith("mine"))).toHaveLength(10);
  expect(names.filter((name) => name.startsWith("run"))).toEqual([4, 5, 6, 7, 8, 9, 10, 11].map((i) => `run ${i}`));
  expect(names.at(-1)).toBe("the last");
});
