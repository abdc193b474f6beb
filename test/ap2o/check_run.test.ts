// The independent check agrees with the product's files, and notices what is wrong in them.
import { expect, test } from "vitest";
import { METHODS } from "../../src/ap2o/methods.ts";
import { readJson } from "../golden/golden.ts";
import { checkRun, passAtK } from "./check_run.mjs";
import { fakeRunFiles } from "./fake_run.ts";

test.each(METHODS)("%s: every figure and every draw, by the paper's rule", async (method) => {
  const { problems, checked } = checkRun(await fakeRunFiles(method));
  expect(problems).toEqual([]);
  expect(Object.values(checked).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(500);
});

test.each(["ap2o-h2l", "ap2o-l2h", "curri-dpo"])("%s: by the code's rule, and with corpus counts", async (method) => {
  expect(checkRun(await fakeRunFiles(method, { rule: "reference" })).problems).toEqual([]);
  expect(checkRun(await fakeRunFiles(method, { scope: "corpus" })).problems).toEqual([]);
  expect(checkRun(await fakeRunFiles(method, { rule: "reference", scope: "corpus" })).problems).toEqual([]);
});

const h2l = fakeRunFiles("ap2o-h2l");

test.each([
  ["a window", "preferences.jsonl", /"window":\[(\d+),/, '"window":[9,'],
  ["a probability", "preferences.jsonl", /"probability":0\.\d/, '"probability":0.9'],
  ["a rejected answer", "preferences.jsonl", /"rejected_index":\d+/, '"rejected_index":0'],
  ["a verdict", "results.jsonl", /"verdict":"pass","error_type":""/, '"verdict":"runtime_error","error_type":"TypeError"'],
  [
    "a quiz's verdict",
    "results.jsonl",
    /"phase":"quiz","step":5,"sample_index":0,"verdict":"pass"/,
    '"phase":"quiz","step":5,"sample_index":0,"verdict":"timeout"',
  ],
  ["an order", "notebook.json", /"sample_index": (\d+)/, '"sample_index": 99'],
  ["a figure", "run.json", /"pass@1": 0\.\d/, '"pass@1": 0.0'],
])("%s that is changed is noticed", async (_, file, pattern, replacement) => {
  const files = await h2l;
  const changed = files[file]!.replace(pattern, replacement);
  expect(changed).not.toBe(files[file]);
  expect(checkRun({ ...files, [file]: changed }).problems.length).toBeGreaterThan(0);
});

test("its pass@k is the golden one", () => {
  for (const { n, c, k, pass_at_k } of readJson<{ n: number; c: number; k: number; pass_at_k: number }[]>("pass_at_k.json"))
    expect(passAtK(n, c, k)).toBeCloseTo(pass_at_k, 12);
});
