import { mkdir, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { folderFiles } from "../../src/cli/folder.ts";
import { InputError } from "../../src/input_error.ts";
import { pickedFiles, readJson, readText, urlFiles } from "../../src/model/files.ts";
import { sameBytes } from "../golden/golden.ts";

const LARGE = Uint8Array.from({ length: 600_000 }, (_, i) => (i * 7) % 251);
const SMALL = new TextEncoder().encode('{"a": "ü"}');

describe("below a URL", () => {
  let server: Server;
  let base = "";
  const requests: string[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      const [, mode, name] = /^\/(\w+)\/(.*)$/.exec(request.url ?? "") ?? [];
      const range = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? "");
      requests.push(`${mode} ${request.headers.range ?? "whole"}`);
      const body = name === "large.bin" ? LARGE : name === "small.json" ? SMALL : name === "empty" ? new Uint8Array(0) : null;
      if (name === "broken") response.writeHead(500).end();
      else if (!body && mode === "spa") response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end("<!doctype html>");
      else if (!body) response.writeHead(404).end();
      else if (mode === "whole" || !range) response.writeHead(200).end(body);
      else if (body.length === 0) response.writeHead(416).end();
      else if (mode === "forgets" && Number(range[1]) > 0) response.writeHead(200).end(body);
      else {
        const [begin, end] = [Number(range[1]), Math.min(Number(range[2]) + 1, body.length)];
        const length = mode === "short" && begin > 0 ? end - 1 : end;
        const size = mode === "secretive" ? "*" : body.length;
        response.writeHead(206, { "content-range": `bytes ${begin}-${end - 1}/${size}` }).end(body.subarray(begin, length));
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    base = typeof address === "object" && address ? `http://127.0.0.1:${address.port}` : "";
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  test.each(["ranges", "whole", "secretive"])("a file is read in slices from a server that answers: %s", async (mode) => {
    requests.length = 0;
    const source = await urlFiles("m", `${base}/${mode}`).open("large.bin");
    expect([source?.name, source?.size]).toEqual(["large.bin", LARGE.length]);
    for (const [begin, end] of [
      [0, 8],
      [8, 300],
      [0, 600_000],
      [599_999, 600_000],
      [300_000, 300_000],
    ] as const) {
      expect(sameBytes(await source!.slice(begin, end), LARGE.subarray(begin, end))).toBe(true);
    }
    expect(requests).toHaveLength({ ranges: 3, whole: 1, secretive: 2 }[mode] ?? 0);
  });

  test("small files take one request, with or without a slash at the address's end", async () => {
    requests.length = 0;
    for (const address of [`${base}/ranges`, `${base}/ranges/`])
      expect(await readJson(urlFiles("m", address), "small.json")).toEqual({ a: "ü" });
    expect(requests).toHaveLength(2);
  });

  test("a missing file is null, from servers of single-page apps too, and an empty one is empty", async () => {
    expect(await urlFiles("m", `${base}/ranges`).open("nothing.json")).toBeNull();
    expect(await urlFiles("m", `${base}/spa`).open("nothing.json")).toBeNull();
    expect((await urlFiles("m", `${base}/ranges`).open("empty"))?.size).toBe(0);
  });

  test("errors of the server and the connection are said, not taken for a missing file", async () => {
    await expect(urlFiles("m", `${base}/ranges`).open("broken")).rejects.toThrow("broken: the server answered 500 for");
    await expect(urlFiles("m", "http://127.0.0.1:1").open("a.json")).rejects.toThrow(
      "cannot be reached; check the address and the connection.",
    );
    for (const [mode, message] of [
      ["forgets", "answered 200 to a range request"],
      ["short", "expected 10 bytes of"],
    ] as const) {
      const source = await urlFiles("m", `${base}/${mode}`).open("large.bin");
      await expect(source!.slice(500_000, 500_010)).rejects.toThrow(message);
    }
  });
});

describe("picked by the user", () => {
  const picked = (name: string, path: string, content: BlobPart = SMALL) =>
    Object.defineProperty(new File([content], name), "webkitRelativePath", { value: path });

  test("files lie under their path below the picked folder, or under their name", async () => {
    const files = pickedFiles("m", [
      picked("config.json", "model/config.json"),
      picked("a.json", "model/adapter/a.json"),
      picked("b.json", ""),
    ]);
    expect(await readJson(files, "config.json")).toEqual({ a: "ü" });
    expect(await readText(files, "adapter/a.json")).toBe('{"a": "ü"}');
    const source = await files.open("b.json");
    expect(await source!.slice(1, 4)).toEqual(SMALL.slice(1, 4));
    expect(await files.open("a.json")).toBeNull();
  });

  test("what is no JSON is refused by its name", async () => {
    await expect(readJson(pickedFiles("m", [picked("a.json", "", "{")]), "a.json")).rejects.toThrow("a.json of m: expected JSON");
    expect(await readJson(pickedFiles("m", []), "a.json")).toBeNull();
  });
});

describe("in a local folder", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "errata-files-"));
    await mkdir(join(folder, "model", "inside"), { recursive: true });
    await writeFile(join(folder, "model", "large.bin"), LARGE);
    await writeFile(join(folder, "secret.json"), SMALL);
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("files are read in slices and named by their path", async () => {
    const files = await folderFiles(join(folder, "model"));
    const source = await files.open("large.bin");
    expect([files.id, source?.name, source?.size]).toEqual(["model", join(folder, "model", "large.bin"), LARGE.length]);
    expect(await source!.slice(1000, 1010)).toEqual(LARGE.slice(1000, 1010));
    expect(sameBytes(await source!.slice(0, LARGE.length), LARGE)).toBe(true);
  });

  test("missing files and folders inside are null", async () => {
    const files = await folderFiles(join(folder, "model"));
    expect(await files.open("nothing.json")).toBeNull();
    expect(await files.open("inside")).toBeNull();
    expect(await files.open("large.bin/x")).toBeNull();
  });

  test("a file that shrinks is told, and nothing outside is read", async () => {
    const files = await folderFiles(join(folder, "model"));
    await writeFile(join(folder, "model", "shrinks.bin"), LARGE);
    const source = await files.open("shrinks.bin");
    await truncate(join(folder, "model", "shrinks.bin"), 10);
    await expect(source!.slice(5, 20)).rejects.toThrow("expected bytes 5 to 20, found 5 of them: the file is truncated.");
    await expect(files.open("../secret.json")).rejects.toThrow(InputError);
  });

  test("what is no folder is refused", async () => {
    await expect(folderFiles(join(folder, "nowhere"))).rejects.toThrow(
      "no such folder; give the folder that holds the model's config.json.",
    );
    await expect(folderFiles(join(folder, "secret.json"))).rejects.toThrow("is a file; give the folder");
  });
});
