import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serveFolder } from "../../scripts/serve.mjs";

const parent = mkdtempSync(join(tmpdir(), "errata serve "));
const folder = join(parent, "page");
const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
let server: NonNullable<Awaited<ReturnType<typeof serveFolder>>>;

beforeAll(async () => {
  mkdirSync(join(folder, "assets"), { recursive: true });
  writeFileSync(join(parent, "secret.txt"), "not served");
  writeFileSync(join(folder, "index.html"), "<!doctype html>");
  writeFileSync(join(folder, "empty.txt"), "");
  for (const name of ["a b.wasm", "engine.mjs", "problems.jsonl", "kernel.wgsl", "weights.safetensors"])
    writeFileSync(join(folder, "assets", name), bytes);
  const opened = await serveFolder(folder, 0);
  if (!opened) throw new Error("no free port");
  server = opened;
});

afterAll(() => {
  server.close();
  rmSync(parent, { recursive: true });
});

const get = (path: string, headers: Record<string, string> = {}) => fetch(server.url + path, { headers });

/** The status of a path sent as it is: fetch would tidy it up. */
const rawStatus = (path: string) =>
  new Promise((done, failed) => {
    const { hostname, port } = new URL(server.url);
    request({ hostname, port, path }, (response) => done(response.resume().statusCode))
      .on("error", failed)
      .end();
  });

test("a folder's index.html is served, whatever the query", async () => {
  const response = await get("?preset=smoke");
  expect([response.status, response.headers.get("content-type"), await response.text()]).toEqual([
    200,
    "text/html; charset=utf-8",
    "<!doctype html>",
  ]);
});

test("types that browsers insist on", async () => {
  const types = [
    ["assets/a%20b.wasm", "application/wasm"],
    ["assets/engine.mjs", "text/javascript; charset=utf-8"],
    ["assets/problems.jsonl", "application/x-ndjson; charset=utf-8"],
    ["assets/kernel.wgsl", "text/plain; charset=utf-8"],
    ["assets/weights.safetensors", "application/octet-stream"],
  ] as const;
  for (const [path, type] of types) expect((await get(path)).headers.get("content-type"), path).toBe(type);
});

test("ranges: inside, to the end, the last bytes, past the end", async () => {
  const cases = [
    ["bytes=10-19", 206, "bytes 10-19/1000", 10, 10],
    ["bytes=990-", 206, "bytes 990-999/1000", 10, 990],
    ["bytes=-5", 206, "bytes 995-999/1000", 5, 995],
    ["bytes=990-2000", 206, "bytes 990-999/1000", 10, 990],
  ] as const;
  for (const [range, status, contentRange, length, first] of cases) {
    const response = await get("assets/a%20b.wasm", { range });
    const body = new Uint8Array(await response.arrayBuffer());
    expect([response.status, response.headers.get("content-range"), body.length, body[0]]).toEqual([
      status,
      contentRange,
      length,
      bytes[first],
    ]);
  }
  expect((await get("assets/a%20b.wasm", { range: "bytes=1000-" })).status).toBe(416);
  expect((await get("assets/a%20b.wasm", { range: "bytes=0-1,5-6" })).status).toBe(200);
});

test("a file is kept by the browser, but asked for again", async () => {
  const first = await get("assets/engine.mjs");
  expect(first.headers.get("cache-control")).toBe("no-cache");
  const again = await get("assets/engine.mjs", { "if-none-match": first.headers.get("etag") ?? "", "cache-control": "max-age=0" });
  expect(again.status).toBe(304);
});

test("an empty file has an empty answer", async () => {
  expect((await (await get("empty.txt")).arrayBuffer()).byteLength).toBe(0);
});

test("nothing outside the folder is served", async () => {
  for (const path of ["/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/assets/../../secret.txt", "/a%00b", "/%zz", "/none"])
    expect(await rawStatus(path), path).toBe(404);
});

test("nothing but reading is answered", async () => {
  expect((await fetch(server.url, { method: "POST" })).status).toBe(405);
  const head = await fetch(`${server.url}assets/engine.mjs`, { method: "HEAD" });
  expect([head.status, head.headers.get("content-length")]).toEqual([200, "1000"]);
});

test("a port that is taken is refused", async () => {
  expect(await serveFolder(folder, Number(new URL(server.url).port))).toBeNull();
});
