// Models from elsewhere in the built page: a GGUF file, dropped files, a hub with a mirror's address, a token and redirects; broken off,
// gone on with after a reload, damaged, stored, deleted.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { openBuiltPage } from "../../scripts/page_in_chromium.mjs";
import { readBytes } from "../golden/golden.ts";
import { type ModelServer, openModelServer } from "../storage/model_server.ts";
import { drop } from "./drop.ts";

const DEMO = join(import.meta.dirname, "../../public/models/demo");
const ID = "school/little-model";
const TOKEN = "hf_not-to-be-found-anywhere";
const IN_TIME = { timeout: 40_000 };

let opened: Awaited<ReturnType<typeof openBuiltPage>>;
let page: Page;
let hub: ModelServer;
/** Where the hub's files really are, as a hub's are on servers of their own. */
let store: ModelServer;

beforeAll(async () => {
  [hub, store] = [await openModelServer(), await openModelServer()];
  for (const name of readdirSync(DEMO)) {
    hub.files.set(`${ID}/${name}`, readFileSync(join(DEMO, name)));
    store.files.set(`${ID}/${name}`, readFileSync(join(DEMO, name)));
  }
  opened = await openBuiltPage("?view=machine", { webgpu: true, viewport: { width: 1440, height: 900 } });
  page = opened.page;
  await ready();
}, 180_000);
afterAll(async () => {
  await opened?.close();
  hub?.close();
  store?.close();
});
beforeEach(() => {
  page.setDefaultTimeout(15_000);
  for (const server of [hub, store]) {
    server.fault = {};
    server.requests.length = 0;
    server.authorizations.length = 0;
  }
});

const ready = () => page.locator('html[data-state="ready"]').waitFor(IN_TIME);
/** Waits for a model of this name, and until it has been checked: before that no other is taken. */
async function modelLine(text: string | RegExp): Promise<void> {
  await page.locator("footer").getByText(text).waitFor(IN_TIME);
  await page.getByRole("progressbar", { name: "Loading the model" }).waitFor({ state: "detached", timeout: IN_TIME.timeout });
}
const alertOf = (text: string | RegExp) => page.getByRole("alert").filter({ hasText: text });
const closeNotice = () => page.getByRole("button", { name: "Close" }).click();
const weightRequests = (server: ModelServer) => server.requests.filter((line) => line.startsWith("model.safetensors"));

async function fillForm(name: string, token = ""): Promise<void> {
  await page.getByText("Another hub, gated models").click();
  await page.getByRole("textbox", { name: "Address of the hub" }).fill(hub.base);
  await page.getByLabel("Hub token").fill(token);
  await page.getByRole("textbox", { name: "Hub id or address" }).fill(name);
  await page.getByText("Another hub, gated models").click();
}

const download = () => page.getByRole("button", { name: "Download" }).click();

/** Everything that the browser keeps for the page, as one text. */
const kept = () =>
  page.evaluate(async () => {
    const texts = [JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie, location.href];
    const read = async (folder: FileSystemDirectoryHandle): Promise<void> => {
      for await (const [name, handle] of folder.entries()) {
        texts.push(name);
        if (handle instanceof FileSystemDirectoryHandle) await read(handle);
        else if (handle instanceof FileSystemFileHandle) texts.push(await (await handle.getFile()).text());
      }
    };
    await read(await navigator.storage.getDirectory());
    return texts.join("\n");
  });

test("nothing is asked of another origin before someone asks for it; the page itself could not", async () => {
  expect(opened.foreignRequests).toEqual([]);
  const refused = await page.evaluate(
    (url) =>
      fetch(url).then(
        () => false,
        () => true,
      ),
    hub.base,
  );
  expect(refused).toBe(true);
  opened.errors.length = 0; // the refusal was told on the console
  opened.foreignRequests.length = 0;
});

test("a GGUF file is picked, and another is dropped", async () => {
  await page
    .getByLabel("Open a GGUF file …")
    .setInputFiles({ name: "tiny-qwen2.gguf", mimeType: "", buffer: Buffer.from(readBytes("gguf/tiny-qwen2.gguf")) });
  await modelLine(/Model: tiny-qwen2/);
  await drop(page, { name: "tiny-llama.gguf", bytes: readBytes("gguf/tiny-llama.gguf") });
  await modelLine(/Model: tiny-llama/);
});

test("a folder is dropped", async () => {
  const devtools = await page.context().newCDPSession(page); // scripts cannot drop folders
  const data = { items: [], files: [DEMO], dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"] as const) {
    await devtools.send("Input.dispatchDragEvent", { type, x: 400, y: 300, data });
  }
  await modelLine(/Model: demo,/);
  await drop(page, { name: "tiny-llama.gguf", bytes: readBytes("gguf/tiny-llama.gguf") });
  await modelLine(/Model: tiny-llama/);
});

test("a GGUF file of another kind is refused in a sentence, and the model that is loaded stays", async () => {
  await drop(page, { name: "other.gguf", bytes: readBytes("gguf/refused-architecture.gguf") });
  await alertOf("architecture").waitFor(IN_TIME);
  await closeNotice();
  await modelLine(/Model: tiny-llama/);
});

test("a gated model is downloaded through a mirror that sends on to another server; the token goes to the mirror alone", async () => {
  hub.fault = { token: TOKEN, redirectTo: store.base };
  await fillForm(ID);
  await download();
  await alertOf("give a hub token").waitFor(IN_TIME);
  await closeNotice();
  await fillForm(ID, TOKEN);
  await download();
  await modelLine(`Model: ${ID}`);
  await page.getByText("It computes what it should.").waitFor();
  expect(new Set(hub.authorizations.slice(1))).toEqual(new Set([`Bearer ${TOKEN}`]));
  expect(new Set(store.authorizations)).toEqual(new Set([""]));
  expect(await kept()).not.toContain(TOKEN);
  expect(opened.errors.filter((error) => error.includes(TOKEN))).toEqual([]);
  const origins = new Set(opened.foreignRequests.map((url) => new URL(url).origin));
  expect(origins).toEqual(new Set([hub.base, store.base]));
});

test("what is stored is listed, loaded again without the network, and deleted", async () => {
  await page.getByRole("button", { name: "Embedded model" }).click();
  await modelLine("Model: errata-demo");
  await page.getByText("Models stored in this browser").click();
  hub.fault = { status: 500 };
  await page.getByRole("button", { name: `Load ${ID}` }).click(IN_TIME);
  await modelLine(`Model: ${ID}`);
  expect([...hub.requests, ...store.requests]).toEqual([]);
  await page.getByRole("button", { name: `Delete ${ID}` }).click(IN_TIME);
  await page.getByText("None.").waitFor();
  expect(await kept()).not.toContain(encodeURIComponent(ID));
});

test("a damaged file is never used: a sentence says so, and the model that is loaded stays", async () => {
  hub.fault = { damage: { path: "model.safetensors", at: 900_000 } };
  await fillForm(ID);
  await download();
  await alertOf(/model\.safetensors: expected checksum .*load it again/).waitFor(IN_TIME);
  await closeNotice();
  await modelLine(`Model: ${ID}`); // the one that was loaded before
});

test("a download that is broken off is gone on with, also after a reload", async () => {
  hub.fault = { rate: 600_000 };
  await download();
  const bar = page.getByRole("progressbar", { name: "Loading the model" });
  await page.getByText(/Downloading school\/little-model: [\d.]+ .?B of [\d.]+ MB, .* a second, \d+ s left/).waitFor(IN_TIME);
  await expect.poll(() => bar.evaluate((e) => (e instanceof HTMLProgressElement ? e.value : 0)), IN_TIME).toBeGreaterThan(300_000);
  await page.getByRole("button", { name: /^Break off/ }).click();
  await alertOf("What was downloaded is kept").waitFor();
  await closeNotice();
  await download();
  await expect.poll(() => weightRequests(hub).at(-1), IN_TIME).toMatch(/^model\.safetensors [1-9]\d{5}/);
  await page.reload();
  await ready();
  hub.fault = {};
  hub.requests.length = 0;
  await page.getByText("Models stored in this browser").click();
  await page.getByText("not complete").waitFor(IN_TIME);
  await fillForm("");
  await page.getByRole("button", { name: `Go on with ${ID}` }).click();
  await modelLine(`Model: ${ID}`);
  expect(weightRequests(hub)).toEqual([expect.stringMatching(/^model\.safetensors [1-9]\d{5}/)]);
});

test("an address that names a model offers it, and downloads nothing unasked", async () => {
  await page.goto(`${opened.origin}/?model=${encodeURIComponent(ID)}&hub=${encodeURIComponent(hub.base)}`);
  await ready();
  const offer = page.getByText(`asks for the model ${ID} from ${hub.base}`);
  await offer.waitFor();
  expect([...hub.requests, ...hub.authorizations]).toEqual([]);
  await page.getByRole("button", { name: "Load it" }).click();
  await modelLine(`Model: ${ID}`);
  await offer.waitFor({ state: "detached" });
});

test("a hub that cannot be reached, and a name that is none, are told in a sentence", async () => {
  await fillForm("no-such-thing");
  await download();
  await alertOf("expected a hub id such as owner/name").waitFor(IN_TIME);
  await closeNotice();
  await fillForm("owner/absent");
  await download();
  await alertOf("has no such model").waitFor(IN_TIME);
  await closeNotice();
  await modelLine(`Model: ${ID}`);
});
