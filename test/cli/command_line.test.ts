// The command line from outside: what scripts depend on, as far as it needs no GPU.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { main } from "../../src/cli/main.ts";

const BIN = resolve(import.meta.dirname, "..", "..", "bin", "errata.mjs");
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "errata-cli-"));
  writeFileSync(join(folder, "broken.jsonl"), '{"task_id": "Own/1", "prompt": ');
  writeFileSync(join(folder, "strange.jsonl"), '{"question": "?", "answer": 42}\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The real program, from the folder. */
function spawned(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], { cwd: folder, encoding: "utf8" });
  return { status, stdout, stderr };
}

/** The same in this process, which is faster; paths are relative to the folder. */
async function errata(...args: string[]) {
  let [stdout, stderr] = ["", ""];
  const streams = {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: Object.assign(Object.create(process.stderr), { isTTY: false, write: (text: string) => (stderr += text) }),
  };
  const status = await main(
    args.map((arg) => (IN_FOLDER.test(arg) ? join(folder, arg) : arg)),
    streams,
  );
  return { status, stdout, stderr };
}

const IN_FOLDER = /^(x|nowhere|file)(\/|$)|\.jsonl$/;

test("the program itself: data on stdout, one sentence and status 2 for bad input", () => {
  expect(spawned("--version")).toEqual({ status: 0, stdout: "0.1.0\n", stderr: "" });
  const { status, stdout, stderr } = spawned("run", "--out", "x", "--problems", "broken.jsonl");
  expect([status, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(/^errata: \S+broken\.jsonl, line 1 is not JSON: .*\n$/);
});

test("--help lists every command on stdout", async () => {
  const { status, stdout, stderr } = await errata("--help");
  expect([status, stderr]).toEqual([0, ""]);
  for (const command of ["run", "exam", "quiz", "eval", "generate", "logps", "train", "judge"]) {
    expect(stdout).toMatch(new RegExp(`^  ${command} +\\w`, "m"));
  }
});

test("--help of a command says what it writes and every flag", async () => {
  const { status, stdout } = await errata("run", "--help");
  expect(status).toBe(0);
  for (const word of ["--method", "ap2o-h2l", "--preset", "--out", "--seed", "preferences.jsonl", "adapter_last/"]) {
    expect(stdout).toContain(word);
  }
});

test.each([
  [["frobnicate"], "errata: There is no command frobnicate: errata --help lists them.\n"],
  [["run", "--frobnicate"], "errata: Unknown option '--frobnicate'; errata run --help lists the flags.\n"],
  [["run", "--method", "magic", "--out", "x"], "--method must be one of ap2o-h2l"],
  [["run", "--out", "x", "--set", "stepz=3"], "stepz: there is no such setting"],
  [["run"], "errata: Say where the run's files go: --out FOLDER.\n"],
  [["run", "--out", "x", "--problems", "nowhere.jsonl"], "nowhere.jsonl: there is no such file; give the problem file.\n"],
  [["run", "--out", "x", "--problems", "broken.jsonl"], "broken.jsonl, line 1 is not JSON"],
  [["run", "--out", "x", "--problems", "strange.jsonl"], "problem 1: unknown format with question, answer"],
  [["generate", "--prompt", "x", "--model", "nowhere"], "no such folder"],
  [["eval", "-n", "3", "-k", "5"], "pass@5 needs at least 5 answers per problem: raise -n (now 3)"],
  [["train", "--pairs", "nowhere.jsonl", "--out", "x"], "there is no such file; give the file of pairs.\n"],
  [["judge", "--samples", "broken.jsonl"], "Give the programs and where the verdicts go"],
])("%j: one sentence, exit status 2", async (args, sentence) => {
  const { status, stdout, stderr } = await errata(...args);
  expect(stderr).toContain(sentence);
  expect(stderr.trim().split("\n").length).toBe(1);
  expect([status, stdout]).toEqual([2, ""]);
});

test("an --out that cannot be written is refused before any work", async () => {
  writeFileSync(join(folder, "file"), "");
  const { status, stderr } = await errata("run", "--out", "file/run");
  expect([status, stderr.split("\n").length]).toEqual([2, 2]);
  expect(stderr).toContain("cannot be written: a part of the path is a file");
});
