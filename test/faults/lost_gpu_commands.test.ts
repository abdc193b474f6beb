// Commands whose GPU is lost under way: they open another one, say so, and print and write the same.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type * as Device from "../../src/gpu/device.ts";
import { writeSafetensors } from "../../src/model/safetensors.ts";
import type { Judge } from "../../src/python/judge.ts";
import { infraError } from "../../src/python/verdict.ts";
import { errata } from "../errata.ts";
import { readBytes, tensorsOf } from "../golden/golden.ts";

/** At which submit each device is destroyed, in the order in which they are opened; those after them last. */
let deaths: number[] = [];
/** Submits to each device. */
let submits: number[] = [];

vi.mock("../../src/gpu/device.ts", async (original) => {
  const real = await original<typeof Device>();
  const openDevice: typeof real.openDevice = async (power) => {
    const opened = await real.openDevice(power);
    const number = submits.push(0) - 1;
    const { queue } = opened.device;
    const submit = queue.submit.bind(queue);
    queue.submit = (buffers) => {
      submit(buffers);
      submits[number]! += 1;
      if (submits[number] === deaths[number]) opened.device.destroy();
    };
    return opened;
  };
  return { ...real, openDevice };
});

/** Every answer passes. */
const kind: Judge = {
  judge: async (requests, options) =>
    requests.map((_, i) => {
      const verdict = { ...infraError(""), verdict: "pass" as const, errorType: "", errorLabel: "" };
      options?.onVerdict?.(i, verdict);
      return verdict;
    }),
  close: async () => {},
};
vi.mock("../../src/cli/judge_browser.ts", () => ({ openBrowserJudge: async () => kind }));

let place = "";
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "errata-lost-"));
  mkdirSync(join(place, "model"));
  for (const file of ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"])
    writeFileSync(join(place, "model", file), readBytes(`models/tiny-qwen2/${file}`));
  writeFileSync(join(place, "pairs.jsonl"), readBytes("dpo/tiny-qwen2/pairs.jsonl"));
});
afterAll(() => rmSync(place, { recursive: true }));
beforeEach(() => void (deaths = []));

const model = () => ["--model", join(place, "model")];

/** Runs a command with devices that die there; gives what it printed and wrote, times apart. */
async function result(command: readonly string[], files: readonly string[], ...dying: number[]) {
  [deaths, submits] = [dying, []];
  const { status, stdout, stderr } = await errata(...command);
  const texts = [stdout, ...files.map((file) => readFileSync(join(place, file), "latin1"))];
  return { status, stderr, texts: texts.map((text) => text.replace(/"(seconds|tokens_per_second)":[^,}]*/g, "")), submits };
}

const COMMANDS: [string, () => string[], string[]][] = [
  [
    "train",
    () => ["train", ...model(), "--pairs", join(place, "pairs.jsonl"), "--steps", "5", "--batch", "2", "--out", join(place, "trained")],
    ["trained/metrics.jsonl", "trained/adapter/adapter_model.safetensors"],
  ],
  ["logps", () => ["logps", ...model(), "--pairs", join(place, "pairs.jsonl")], []],
  ["generate", () => ["generate", ...model(), "--prompt", "def f(x):", "-n", "3", "--temperature", "1", "--max-new-tokens", "20"], []],
  [
    "eval",
    () => ["eval", ...model(), "-n", "2", "--max-new-tokens", "20", "--task-ids", "Demo/0", "--split", "all", "--out", join(place, "sat")],
    ["sat/samples.jsonl", "sat/results.jsonl"],
  ],
];

test.each(COMMANDS)("%s goes on with another device, and ends with the same bytes", { timeout: 120_000 }, async (_, command, files) => {
  const whole = await result(command(), files);
  expect([whole.status, whole.submits.length], whole.stderr).toEqual([0, 1]);
  rmSync(join(place, "sat"), { recursive: true, force: true });
  rmSync(join(place, "trained"), { recursive: true, force: true });
  const lost = await result(command(), files, Math.ceil(whole.submits[0]! / 2));
  expect([lost.status, lost.submits.length], lost.stderr).toEqual([0, 2]);
  expect(lost.stderr).toMatch(/warning: The GPU failed \(.*\)\. The work goes on with a new device/);
  expect(lost.texts).toEqual(whole.texts);
});

test("a GPU that is lost three times ends a training with advice, and what was trained is kept", { timeout: 120_000 }, async () => {
  const [, command] = COMMANDS[0]!;
  const { submits: all } = await result(command(), []);
  const { status, stderr } = await result(command(), [], Math.floor(all[0]! / 2), 3, 3);
  expect(status, stderr).toBe(2);
  expect(stderr).toMatch(/errata: The GPU failed 3 times .*: close what else uses it.*; what was trained until step \d is kept\.\n$/);
});

test("a weight that overflows: no number is printed, each skipped step is told, and three of them end a training", {
  timeout: 120_000,
}, async () => {
  const tensors = [...tensorsOf(readBytes("models/tiny-qwen2/model.safetensors"))].map(([name, tensor]) => ({ name, ...tensor }));
  tensors.find(({ name }) => name === "model.norm.weight")!.data.fill(3e38);
  writeFileSync(join(place, "model", "model.safetensors"), writeSafetensors(tensors));
  const [train, logps, generate] = COMMANDS.map(([, command]) => command);
  const trained = await result(train!(), ["trained/metrics.jsonl"]);
  expect(trained.status).toBe(2);
  expect(trained.stderr).toContain("warning: Step 1 gave no finite loss or gradient and changed nothing (first bad tensor: ");
  expect(trained.stderr).toMatch(
    /errata: Step 3: 3 steps in a row gave no finite loss .*trained\/adapter holds the weights as they were before\.\n$/,
  );
  expect(trained.texts[1]!.trim().split("\n")).toHaveLength(3);
  for (const command of [logps!, generate!]) {
    const { status, stderr, texts } = await result(command(), []);
    expect([status, texts], stderr).toEqual([2, [""]]);
    expect(stderr).toMatch(/first bad tensor: .*: the model's files or the GPU's driver are at fault/);
  }
});
