import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { InputError } from "../../src/input_error.ts";
import type { ModelFiles } from "../../src/model/files.ts";
import { NoRoom } from "../../src/storage/download.ts";
import { findRemoteModel, hubIdOf } from "../../src/storage/hub.ts";
import { type ModelFolder, memoryFolder } from "../../src/storage/model_folder.ts";
import { type DownloadProgress, ModelStore } from "../../src/storage/model_store.ts";
import { readBytes, sameBytes } from "../golden/golden.ts";
import { bytesOf, type ModelServer, openModelServer } from "./model_server.ts";

const ID = "owner/model";
const CONFIG = new TextEncoder().encode('{"model_type": "qwen2"}');
const WEIGHTS = bytesOf("weights", 300_000);

let server: ModelServer;
let folder: ModelFolder;
let store: ModelStore;

beforeAll(async () => {
  server = await openModelServer();
});
afterAll(() => server.close());
beforeEach(() => {
  server.fault = {};
  server.requests.length = 0;
  server.files.clear();
  server.files.set(`${ID}/README.md`, CONFIG);
  server.files.set(`${ID}/config.json`, CONFIG);
  server.files.set(`${ID}/tokenizer.json`, CONFIG);
  server.files.set(`${ID}/model.safetensors`, WEIGHTS);
  folder = memoryFolder("test");
  store = new ModelStore(folder);
});

const load = (id = ID, options = {}) => store.load(id, { hub: server.base, retryPauseMs: 5, ...options });
const holds = async (files: ModelFiles, path: string, bytes: Uint8Array) => {
  const content = await contentOf(files, path);
  return content !== null && sameBytes(content, bytes);
};
const contentOf = async (files: ModelFiles, path: string) => {
  const source = await files.open(path);
  return source ? source.slice(0, source.size) : null;
};

describe("downloads", () => {
  test("a model's own files, once; then it is opened without the network", async () => {
    const files = await load();
    expect(await holds(files, "model.safetensors", WEIGHTS)).toBe(true);
    expect(await holds(files, "config.json", CONFIG)).toBe(true);
    expect(await files.open("README.md")).toBeNull();
    expect(server.requests).toEqual(["config.json 0-", "tokenizer.json 0-", "model.safetensors 0-"]);
    server.fault = { status: 500 };
    expect(await holds(await load(), "model.safetensors", WEIGHTS)).toBe(true);
    expect(await store.list()).toMatchObject([{ id: ID, complete: true }]);
  });

  test("progress counts the whole model and ends at its size", async () => {
    const seen: DownloadProgress[] = [];
    await load(ID, { onProgress: (progress: DownloadProgress) => seen.push(progress) });
    const total = WEIGHTS.length + 2 * CONFIG.length;
    expect(seen.at(-1)).toMatchObject({ file: "model.safetensors", done: total, total });
    expect(seen.map(({ done }) => done)).toEqual(seen.map(({ done }) => done).toSorted((a, b) => a - b));
    expect(seen.every(({ secondsLeft }) => secondsLeft === null || secondsLeft >= 0)).toBe(true);
  });

  test.each([[[1000]], [[1000, 1, 150_000]]])("a connection cut after %j bytes goes on where it was", async (cuts) => {
    server.files.delete(`${ID}/tokenizer.json`);
    server.fault = { cuts: [CONFIG.length, ...cuts] };
    expect(await holds(await load(), "model.safetensors", WEIGHTS)).toBe(true);
    const ends = cuts.map((_, i) => cuts.slice(0, i + 1).reduce((a, b) => a + b, 0));
    expect(server.requests.slice(1)).toEqual([0, ...ends].map((at) => `model.safetensors ${at}-`));
  });

  test("one that stays away is said, what is there is kept, and the next try goes on with it", async () => {
    server.fault = { cuts: [CONFIG.length, CONFIG.length, 70_000, 0, 0, 0, 0, 0] };
    await expect(load()).rejects.toThrow("model.safetensors: the connection broke");
    expect(await store.open(ID)).toBeNull();
    expect(await store.list()).toMatchObject([{ id: ID, complete: false }]);
    server.fault = {};
    server.requests.length = 0;
    expect(await holds(await load(), "model.safetensors", WEIGHTS)).toBe(true);
    expect(server.requests).toEqual(["model.safetensors 70000-"]);
  });

  test("a server that knows no ranges sends the file again from its first byte", async () => {
    server.fault = { cuts: [CONFIG.length, CONFIG.length, 5000], noRanges: true };
    expect(await holds(await load(), "model.safetensors", WEIGHTS)).toBe(true);
  });

  test("a server whose ranges the page may not read: it begins where it was asked to", async () => {
    server.fault = { cuts: [CONFIG.length, CONFIG.length, 5000, 70_000], hidesRange: true };
    expect(await holds(await load(), "model.safetensors", WEIGHTS)).toBe(true);
    expect(server.requests.slice(2)).toEqual([0, 5000, 75_000].map((at) => `model.safetensors ${at}-`));
  });

  test("a server that makes it begin anew again and again is given up", async () => {
    server.fault = { cuts: [CONFIG.length, CONFIG.length, ...new Array(20).fill(5000)], noRanges: true };
    await expect(load()).rejects.toThrow("the connection broke");
    expect(server.requests.length).toBeLessThan(10);
  });

  test("cancelled, it ends at once and is gone on with later", async () => {
    const controller = new AbortController();
    server.fault = { rate: 400_000 };
    const onProgress = ({ done }: DownloadProgress) => done > 50_000 && controller.abort(new Error("cancelled"));
    await expect(load(ID, { signal: controller.signal, onProgress })).rejects.toThrow("cancelled");
    server.fault = {};
    server.requests.length = 0;
    expect(await holds(await load(), "model.safetensors", WEIGHTS)).toBe(true);
    expect(server.requests).toEqual([expect.stringMatching(/^model\.safetensors [1-9]\d{4,}-$/)]);
  });
});

describe("checksums", () => {
  test.each(["model.safetensors", "config.json"])("a damaged %s is never used, removed, and right at the next try", async (path) => {
    server.fault = { damage: { path, at: 7 } };
    const refused = load();
    await expect(refused).rejects.toThrow(InputError);
    await expect(refused).rejects.toThrow(new RegExp(`^${path}: expected checksum [0-9a-f]+, found [0-9a-f]+: the download is damaged`));
    expect(await store.open(ID)).toBeNull();
    expect((await folder.list()).map((file) => file.path)).not.toContain(`owner%2Fmodel/${path}`);
    server.fault = {};
    expect(await holds(await load(), "model.safetensors", WEIGHTS)).toBe(true);
  });

  test("damage in what an earlier try left is found, too", async () => {
    server.fault = { cuts: [CONFIG.length, CONFIG.length, 70_000, 0, 0, 0, 0, 0] };
    await expect(load()).rejects.toThrow("the connection broke");
    server.fault = {};
    const kept = (await folder.read("owner%2Fmodel/model.safetensors"))!;
    kept[69_999]! ^= 4;
    await folder.write("owner%2Fmodel/model.safetensors", kept);
    await expect(load()).rejects.toThrow("the download is damaged");
    expect(await holds(await load(), "model.safetensors", WEIGHTS)).toBe(true);
  });

  test("a file that has become longer is not mixed with what was there", async () => {
    server.fault = { cuts: [CONFIG.length, CONFIG.length, 70_000, 0, 0, 0, 0, 0] };
    await expect(load()).rejects.toThrow("the connection broke");
    server.fault = {};
    server.files.set(`${ID}/model.safetensors`, bytesOf("others", 60_000)); // shorter than what is there
    expect(await holds(await load(), "model.safetensors", bytesOf("others", 60_000))).toBe(true);
  });
});

describe("what a model consists of", () => {
  test("shards where there is no single file; duplicates in other formats stay away", async () => {
    server.files.delete(`${ID}/model.safetensors`);
    for (const path of [
      "model-00001-of-00002.safetensors",
      "model-00002-of-00002.safetensors",
      "model.safetensors.index.json",
      "pytorch_model.bin",
    ])
      server.files.set(`${ID}/${path}`, CONFIG);
    const { files } = await findRemoteModel(ID, { hub: server.base });
    expect(files.map(({ path }) => path).sort()).toEqual([
      "config.json",
      "model-00001-of-00002.safetensors",
      "model-00002-of-00002.safetensors",
      "model.safetensors.index.json",
      "tokenizer.json",
    ]);
  });

  test("a GGUF file is named with its repository, and opens as a folder", async () => {
    const gguf = readBytes("gguf/tiny-llama3.gguf");
    server.files.set("owner/gguf/sub folder/tiny#1.gguf", gguf);
    await expect(load("owner/gguf")).rejects.toThrow("found none; name one of its GGUF files: owner/gguf/sub folder/tiny#1.gguf.");
    const files = await load("owner/gguf/sub folder/tiny#1.gguf");
    expect(await contentOf(files, "config.json")).not.toBeNull();
    await expect(load("owner/gguf/other.gguf")).rejects.toThrow("the repository has no file other.gguf.");
  });

  test("below an address: with SHA256SUMS everything is verified, without it what is there is taken", async () => {
    const address = `${server.base}/plain/model`;
    server.files.set("plain/model/config.json", CONFIG);
    server.files.set("plain/model/model.safetensors", WEIGHTS);
    const bare = await findRemoteModel(address);
    expect(bare.files.map(({ path, checksum }) => [path, checksum])).toEqual([
      ["config.json", null],
      ["model.safetensors", null],
    ]);
    expect(await holds(await load(`${address}/`), "model.safetensors", WEIGHTS)).toBe(true);
    const lines = ["config.json", "model.safetensors"].map(
      (path) =>
        `${createHash("sha256")
          .update(server.files.get(`plain/model/${path}`)!)
          .digest("hex")}  ${path}\n`,
    );
    server.files.set("plain/model/SHA256SUMS", new TextEncoder().encode(lines.join("")));
    server.fault = { damage: { path: "model.safetensors", at: 299_999 } };
    await expect(load(address)).rejects.toThrow("the download is damaged");
    server.fault = {};
    expect(await holds(await load(address), "model.safetensors", WEIGHTS)).toBe(true);
  });
});

describe("below an address without checksums", () => {
  const path = "plain/bare/model.safetensors";
  const address = () => `${server.base}/plain/bare`;
  const interrupted = async (fault: ModelServer["fault"]) => {
    server.files.set(path, WEIGHTS);
    server.fault = { ...fault, cuts: [70_000, 0, 0, 0, 0, 0] };
    await expect(load(address())).rejects.toThrow("the connection broke");
    server.requests.length = 0;
  };

  test.each([{}, { hidesRange: true }])(
    "the same version is gone on with %j, and it is said that nothing vouches for it",
    async (fault) => {
      await interrupted(fault);
      server.fault = fault;
      const notices: string[] = [];
      const seen: DownloadProgress[] = [];
      const onNotice = (sentence: string) => notices.push(sentence);
      const files = await load(address(), { onNotice, onProgress: (progress: DownloadProgress) => seen.push(progress) });
      expect(await holds(files, "model.safetensors", WEIGHTS)).toBe(true);
      expect(server.requests).toEqual(["model.safetensors 70000-"]);
      expect(notices).toEqual([expect.stringContaining("no SHA256SUMS file")]);
      expect(seen.at(-1)).toMatchObject({ done: WEIGHTS.length, total: WEIGHTS.length });
    },
  );

  test("another version is not mixed with what was there", async () => {
    await interrupted({});
    const changed = bytesOf("changed", 300_000);
    server.files.set(path, changed);
    server.fault = { modified: "Sat, 21 Nov 2026 13:00:00 GMT" };
    expect(await holds(await load(address()), "model.safetensors", changed)).toBe(true);
  });

  test("a server that names no version: it begins anew", async () => {
    await interrupted({ modified: null });
    server.fault = { modified: null };
    expect(await holds(await load(address()), "model.safetensors", WEIGHTS)).toBe(true);
    expect(server.requests).toEqual(["model.safetensors 0-"]);
  });

  test("the hub's token is sent to no other server", async () => {
    server.files.set(path, WEIGHTS);
    server.authorizations.length = 0;
    await store.load(address(), { token: "secret", retryPauseMs: 5 });
    expect(server.authorizations.length).toBeGreaterThan(1);
    expect(new Set(server.authorizations)).toEqual(new Set([""]));
  });
});

test("what was copied from the public hub's address line is its id", () => {
  const hub = "https://huggingface.co/owner/name";
  expect(hubIdOf(hub)).toBe("owner/name");
  expect(hubIdOf(`${hub}/tree/main`)).toBe("owner/name");
  expect(hubIdOf(`${hub}/blob/main/sub/a%20b.gguf`)).toBe("owner/name/sub/a b.gguf");
  expect(hubIdOf(`${hub}/resolve/refs%2Fpr%2F1/m.gguf?download=true`)).toBe("owner/name@refs/pr/1/m.gguf");
  for (const other of ["owner/name", "https://example.org/owner/name", "https://huggingface.co/docs"]) expect(hubIdOf(other)).toBe(other);
});

describe("refused, in one sentence", () => {
  test("no such model, a gated one, no network, no weights", async () => {
    await expect(load("owner/nothing")).rejects.toThrow("has no such model or file");
    server.fault = { token: "secret" };
    await expect(load()).rejects.toThrow("answered 401: it is gated or does not exist: give a hub token.");
    await expect(load(ID, { token: "wrong" })).rejects.toThrow("accept the model's terms on the hub.");
    expect(await holds(await load(ID, { token: "secret" }), "config.json", CONFIG)).toBe(true);
    await expect(store.load("owner/other", { hub: "http://127.0.0.1:1" })).rejects.toThrow("http://127.0.0.1:1 cannot be reached");
    await expect(load("no id")).rejects.toThrow("expected a hub id such as owner/name, or an address.");
  });
});

describe("room", () => {
  /** A folder that takes so many bytes. */
  const full = (most: number): ModelFolder => {
    const inner = memoryFolder("the small disk");
    let bytes = 0;
    return {
      ...inner,
      openLog: async (path, keep) => {
        const log = await inner.openLog(path, keep);
        return {
          ...log,
          append: async (piece) => {
            bytes += piece.length;
            if (bytes > most) throw new DOMException("full", "QuotaExceededError");
            await log.append(piece);
          },
        };
      },
    };
  };

  test("on a full disk it is held in memory, which is said; the disk is given back", async () => {
    const small = full(100_000);
    const notices: string[] = [];
    store = new ModelStore(small);
    const files = await load(ID, { onNotice: (sentence: string) => notices.push(sentence) });
    expect(await holds(files, "model.safetensors", WEIGHTS)).toBe(true);
    expect(notices).toEqual([
      "the small disk takes no more: the disk, or the browser's share of it, is full. owner/model is held in memory until the page is closed.",
    ]);
    expect(await small.list()).toEqual([]);
    expect(await store.list()).toMatchObject([{ id: ID, complete: true }]);
  });

  test("what is too large for memory, too, is refused", async () => {
    store = new ModelStore(full(10));
    server.fault = { noHead: true };
    const refused = store.load(`${server.base}/plain/sizeless`, {});
    server.files.set("plain/sizeless/model.safetensors", WEIGHTS);
    await expect(refused).rejects.toThrow(NoRoom); // its size is not told beforehand
  });

  test("a folder that cannot be written, for whatever reason, is said, and memory taken", async () => {
    const closed: ModelFolder = { ...memoryFolder("the store"), openLog: () => Promise.reject(new DOMException("no", "UnknownError")) };
    const notices: string[] = [];
    store = new ModelStore(closed);
    await load(ID, { onNotice: (sentence: string) => notices.push(sentence) });
    expect(notices).toEqual(["the store cannot be written (no). owner/model is held in memory until the page is closed."]);
  });

  test("files that went missing, or were cut short, behind the record's back are loaded again", async () => {
    await load();
    await folder.write("owner%2Fmodel/model.safetensors", WEIGHTS.subarray(0, 70_000));
    await folder.remove("owner%2Fmodel/config.json");
    expect(await store.list()).toMatchObject([{ id: ID, complete: false }]);
    server.requests.length = 0;
    const files = await load();
    expect(await holds(files, "model.safetensors", WEIGHTS)).toBe(true);
    expect(await holds(files, "config.json", CONFIG)).toBe(true);
    expect(server.requests).toEqual(["config.json 0-", "model.safetensors 70000-"]);
  });

  test("models are listed with their sizes, and deleted", async () => {
    await load();
    server.files.set("owner/b/model.safetensors", WEIGHTS);
    await load("owner/b");
    const [b, model] = await store.list();
    expect([b!.id, model!.id]).toEqual(["owner/b", ID]);
    expect(model!.bytes).toBeGreaterThan(WEIGHTS.length + 2 * CONFIG.length);
    await store.remove(ID);
    expect((await store.list()).map(({ id }) => id)).toEqual(["owner/b"]);
    expect(await store.open(ID)).toBeNull();
  });
});
