import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { openModelFiles } from "../../src/cli/model_source.ts";
import type { ModelFiles } from "../../src/model/files.ts";
import { GgufFolder } from "../../src/model/gguf.ts";
import { readBytes, sameBytes } from "../golden/golden.ts";
import { bytesOf, type ModelServer, openModelServer } from "../storage/model_server.ts";

const WEIGHTS = bytesOf("weights", 200_000);
const said: string[] = [];
const progress = { show: (text: string) => said.push(text), say: (text: string) => said.push(text), end: () => {} };
let server: ModelServer;
let cache = "";

beforeAll(async () => {
  server = await openModelServer();
  server.files.set("owner/model/config.json", bytesOf("config", 20));
  server.files.set("owner/model/model.safetensors", WEIGHTS);
});
afterAll(() => server.close());
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "errata-cache-"));
  vi.stubEnv("ERRATA_CACHE", cache);
  vi.stubEnv("HF_TOKEN", undefined);
  server.fault = {};
  said.length = 0;
  return () => rm(cache, { recursive: true });
});

const holdsWeights = async (files: ModelFiles) => {
  const source = await files.open("model.safetensors");
  return source !== null && sameBytes(await source.slice(0, source.size), WEIGHTS);
};

describe("--model", () => {
  test("a hub's model is downloaded into the cache, once, with its progress", async () => {
    expect(await holdsWeights(await openModelFiles("owner/model", server.base, progress))).toBe(true);
    expect(said.at(-1)).toMatch(/^downloading owner\/model: 0\.2 MB of 0\.2 MB, .* MB a second, \d+ s left$/);
    server.fault = { status: 500 };
    const files = await openModelFiles("owner/model", "http://127.0.0.1:1", progress);
    expect([files.id, await holdsWeights(files)]).toEqual(["owner/model", true]);
  });

  test("what a broken connection left on the disk is gone on with", async () => {
    server.fault = { cuts: [20, 90_000, 0, 0, 0, 0] };
    await expect(openModelFiles("owner/model", server.base, { ...progress, show: () => {} })).rejects.toThrow("load it again to go on.");
    server.fault = {};
    server.requests.length = 0;
    expect(await holdsWeights(await openModelFiles("owner/model", server.base, progress))).toBe(true);
    expect(server.requests).toEqual(["model.safetensors 90000-"]);
  }, 30_000);

  test("a gated one takes its token from HF_TOKEN, and keeps it nowhere", async () => {
    server.fault = { token: "hf_secret" };
    await expect(openModelFiles("owner/model", server.base, progress)).rejects.toThrow("give a hub token");
    vi.stubEnv("HF_TOKEN", "hf_secret");
    expect(await holdsWeights(await openModelFiles("owner/model", server.base, progress))).toBe(true);
    const files = (await readdir(cache, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    const contents = await Promise.all(files.map((entry) => readFile(join(entry.parentPath, entry.name), "latin1")));
    expect(contents.length).toBeGreaterThan(1);
    expect(contents.filter((content) => content.includes("hf_secret"))).toEqual([]);
  });

  test("a GGUF file on the disk is opened as a folder; what is nowhere is refused", async () => {
    const path = join(cache, "Tiny.gguf");
    await writeFile(path, readBytes("gguf/tiny-llama3.gguf"));
    const files = await openModelFiles(path, server.base, progress);
    expect(files).toBeInstanceOf(GgufFolder);
    expect(files.id).toBe("Tiny");
    await expect(openModelFiles(join(cache, "no.gguf"), server.base, progress)).rejects.toThrow("no such folder");
  });
});
