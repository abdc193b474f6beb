import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { intoSentence, OutFolder } from "../../src/cli/out_folder.ts";
import { InputError } from "../../src/input_error.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "errata-out-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("makes the folder and leaves nothing of its trial in it", () => {
  const out = new OutFolder(join(folder, "a", "b"));
  expect(readdirSync(out.path)).toEqual([]);
});

test("appends; an earlier run's lines go with the first of this one", () => {
  writeFileSync(join(folder, "x.jsonl"), "old\n");
  const out = new OutFolder(folder);
  out.append("x.jsonl", "1\n");
  out.append("x.jsonl", "2\n");
  expect(readFileSync(join(folder, "x.jsonl"), "utf8")).toBe("1\n2\n");
});

test("writes into folders of its own and removes what is named", () => {
  const out = new OutFolder(folder);
  out.write("adapter/a.json", "{}");
  expect(existsSync(join(folder, "adapter", "a.json"))).toBe(true);
  out.remove("adapter", "not-there");
  expect(readdirSync(folder)).toEqual([]);
});

test("a file in the way is one sentence, before any work", () => {
  writeFileSync(join(folder, "file"), "");
  expect(() => new OutFolder(join(folder, "file"))).toThrow(InputError);
  expect(() => new OutFolder(join(folder, "file", "deeper"))).toThrow("cannot be written: a part of the path is a file");
});

test("a full disk is one sentence", () => {
  const full = () => {
    throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  };
  expect(() => intoSentence("/somewhere", full)).toThrow(
    "/somewhere cannot be written: the disk is full; name another place or make room.",
  );
});
