import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { recordedTiles, tileCache } from "../../src/cli/tile_cache.ts";

let folder: string;
const before = process.env.XDG_CACHE_HOME;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "errata-"));
  process.env.XDG_CACHE_HOME = folder;
});
afterEach(() => {
  rmSync(folder, { recursive: true });
  if (before === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = before;
});

test("what was stored is read again, beside what was there", async () => {
  await tileCache().write("one", "1");
  await tileCache().write("two", "2");
  expect([await tileCache().read("one"), await tileCache().read("two"), await tileCache().read("three")]).toEqual(["1", "2", null]);
});

test("a damaged cache counts as empty, and is written anew", async () => {
  await tileCache().write("one", "1");
  writeFileSync(join(folder, "errata", "tiles.json"), "{damaged");
  expect(await tileCache().read("one")).toBeNull();
  await tileCache().write("two", "2");
  expect(await tileCache().read("two")).toBe("2");
});

test("a run's kernels are taken; a file without them is refused in a sentence", () => {
  const path = join(folder, "run.json");
  writeFileSync(path, '{"kernels":{"linear 65+ rows":"8x8"}}');
  expect(recordedTiles(path)).toEqual({ "linear 65+ rows": "8x8" });
  for (const text of ['{"kernels":{"linear 65+ rows":"7x7"}}', "{}", "no JSON"]) {
    writeFileSync(path, text);
    expect(() => recordedTiles(path)).toThrow(`${path}: expected "kernels" with a tile`);
  }
  expect(() => recordedTiles(join(folder, "none.json"))).toThrow("there is no such file");
});
