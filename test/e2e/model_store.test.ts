// Downloads into a real browser's private file system: cut, killed with the page, corrupted, cancelled, too large, closed.
import { createHash } from "node:crypto";
import { type Browser, chromium, type Page } from "playwright";
import { createServer, type ViteDevServer } from "vite";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { chromiumFlags, findChromium } from "../../scripts/find_chromium.mjs";
import { bytesOf, type ModelServer, openModelServer } from "../storage/model_server.ts";
import type { Answer, Request } from "./model_store.worker.ts";

const ID = "owner/model";
const CONFIG = bytesOf("config", 50);
const WEIGHTS = bytesOf("weights", 3_000_000);
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const WHOLE = { "config.json": sha256(CONFIG), "model.safetensors": sha256(WEIGHTS) };

let browser: Browser;
let vite: ViteDevServer;
let server: ModelServer;
let base = "";
let page: Page;

beforeAll(async () => {
  server = await openModelServer();
  server.files.set(`${ID}/config.json`, CONFIG);
  server.files.set(`${ID}/model.safetensors`, WEIGHTS);
  vite = await createServer({ configFile: false, logLevel: "silent", server: { port: 0, host: "127.0.0.1", hmr: false, watch: null } });
  await vite.listen();
  base = vite.resolvedUrls?.local[0] ?? "";
  const executablePath = findChromium();
  browser = await chromium.launch({ ...(executablePath && { executablePath }), args: chromiumFlags({ webgpu: false }) });
});
afterAll(async () => {
  await browser?.close();
  await vite?.close();
  server?.close();
});
beforeEach(async () => {
  server.fault = {};
  server.requests.length = 0;
  const context = await browser.newContext(); // a private file system of its own
  page = await context.newPage();
  await page.goto(`${base}test/e2e/blank.html`);
  return () => context.close();
});

/** One task in a new worker of the page. */
const ask = (request: Omit<Request, "hub">): Promise<Answer> =>
  page.evaluate(
    (message) =>
      new Promise<Answer>((resolve, reject) => {
        const worker = new Worker("/test/e2e/model_store.worker.ts", { type: "module" });
        worker.addEventListener("message", ({ data }) => {
          worker.terminate();
          resolve(data);
        });
        worker.addEventListener("error", (event) => reject(new Error(event.message)));
        worker.postMessage(message);
      }),
    { ...request, hub: server.base },
  );
const load = (more: Partial<Request> = {}) => ask({ task: "load", id: ID, ...more });
const weightRequests = () => server.requests.filter((line) => line.startsWith("model.safetensors"));

test("a model is downloaded, found again after a reload without the network, listed and deleted", async () => {
  expect(await load()).toEqual({ files: WHOLE, notices: [] });
  await page.reload();
  server.fault = { status: 500 };
  expect((await load()).files).toEqual(WHOLE);
  expect((await ask({ task: "list", id: "" })).models).toMatchObject([{ id: ID, complete: true }]);
  await ask({ task: "remove", id: ID });
  expect((await ask({ task: "list", id: "" })).models).toEqual([]);
  expect((await load()).error).toMatch(/broke|answered/);
});

test("cut connections are taken up again where they ended", async () => {
  server.fault = { cuts: [CONFIG.length, 1_000_000, 3, 1_500_000] };
  expect(await load()).toEqual({ files: WHOLE, notices: [] });
  expect(weightRequests()).toHaveLength(4);
  expect(weightRequests().slice(1)).not.toContain("model.safetensors 0-");
});

test("a page that is closed in the middle goes on where it was when it is opened again", async () => {
  server.fault = { rate: 3_000_000 };
  const gone = load().catch((error: Error) => error.message);
  await expect.poll(() => weightRequests().length, { timeout: 20_000 }).toBe(1);
  await new Promise((resolve) => setTimeout(resolve, 500)); // some of it arrives
  await page.reload();
  expect(await gone).toMatch(/navigation|destroyed|closed/i);
  server.fault = {};
  expect((await ask({ task: "list", id: "" })).models).toMatchObject([{ id: ID, complete: false }]);
  expect((await load()).files).toEqual(WHOLE);
  expect(weightRequests().at(-1)).toMatch(/^model\.safetensors [1-9]\d+-$/);
});

test("cancelled, it keeps what is there", async () => {
  server.fault = { rate: 10_000_000 };
  expect((await load({ cancelAt: 500_000 })).error).toBe("cancelled");
  server.fault = {};
  expect((await load()).files).toEqual(WHOLE);
  expect(weightRequests().at(-1)).toMatch(/^model\.safetensors [1-9]\d{5,}-$/);
});

test("a damaged file is never used, and right at the next try", async () => {
  server.fault = { damage: { path: "model.safetensors", at: 2_999_999 } };
  expect((await load()).error).toMatch(
    /^model\.safetensors: expected checksum .* the download is damaged and was removed; load it again\.$/,
  );
  server.fault = {};
  expect((await load()).files).toEqual(WHOLE);
});

test("where the browser's share of the disk is full, the model is held in memory, which is said", async () => {
  const session = await page.context().newCDPSession(page);
  await session.send("Storage.overrideQuotaForOrigin", { origin: new URL(base).origin, quotaSize: 1_000_000 });
  const { files, notices, error } = await load();
  expect([files, error]).toEqual([WHOLE, undefined]);
  expect(notices).toEqual([expect.stringMatching(/is full\. owner\/model is held in memory until the page is closed\.$/)]);
});

test("where the browser stores nothing, the model is held in memory, which is said", async () => {
  const { files, notices } = await load({ closed: true });
  expect(files).toEqual(WHOLE);
  expect(notices).toEqual([expect.stringMatching(/^This browser stores nothing here, as in a private window \(not here\)/)]);
});
