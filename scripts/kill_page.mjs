// Closes or crashes the page in the middle of a run, opens it again, goes on, and compares the files with those of a run that was left
// alone: node scripts/kill_page.mjs FOLDER COUNT. A line of JSON per trial goes to FOLDER/kill_page.jsonl; called again, it goes on there.
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { differing, timeless } from "./compare_runs.mjs";
import { openBuiltPage } from "./page_in_chromium.mjs";
import { SETTINGS } from "./small_run.mjs";

/** @typedef {import("playwright").Page} Page */

/** The page knows presets only: the small run's settings are put into its command to the engine. @param {Record<string, number>} settings */
function shrinkRuns(settings) {
  const post = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (/** @type {any} */ message, /** @type {any} */ transfer) {
    if (message.type === "start") message.run.overrides = settings;
    return post.call(this, message, transfer);
  };
}

const [folder, count] = [process.argv[2], Number(process.argv[3])];
if (!folder || !Number.isInteger(count)) throw new Error("node scripts/kill_page.mjs FOLDER COUNT");
mkdirSync(folder, { recursive: true });
const log = join(folder, "kill_page.jsonl");
const done = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n").length : 0;
if (done >= count) process.exit(0);

const opened = await openBuiltPage("", { webgpu: true });
const browser = opened.page.context().browser();
await opened.page.close();

/** A browser profile of its own, whose storage outlives its pages. */
async function newProfile() {
  if (!browser) throw new Error("the page has no browser");
  const context = await browser.newContext();
  await context.addInitScript(shrinkRuns, SETTINGS);
  return context;
}

/** @param {import("playwright").BrowserContext} context @param {string} query */
async function openTab(context, query) {
  const page = await context.newPage();
  await page.goto(`${opened.origin}/${query}`);
  return page;
}

const START = "?preset=smoke&seed=3&autostart=1";
const WAIT = { timeout: 600_000, polling: 200 };

/** @param {Page} page */
async function finished(page) {
  await page.waitForFunction(() => ["finished", "failed"].includes(document.documentElement.dataset.state ?? ""), undefined, WAIT);
  if ((await page.locator("html").getAttribute("data-state")) === "failed") {
    throw new Error((await page.getByRole("alert").allTextContents()).join(" "));
  }
  await page.waitForTimeout(1500); // its files are written once it has said so
}

/** The files of the one run that the browser keeps, times taken out. @param {Page} page */
async function keptFiles(page) {
  const files = await page.evaluate(async () => {
    /** @type {[string, string][]} */
    const found = [];
    /** @param {any} folder @param {string} path */
    const walk = async (folder, path) => {
      for await (const [name, handle] of folder.entries()) {
        if (handle.kind === "directory") await walk(handle, `${path}${name}/`);
        else
          found.push([
            path + name,
            [...new Uint8Array(await (await handle.getFile()).arrayBuffer())].map((byte) => String.fromCharCode(byte)).join(""),
          ]);
      }
    };
    await walk(await (await navigator.storage.getDirectory()).getDirectoryHandle("runs", { create: true }), "");
    return found;
  });
  return new Map(files.map(([path, text]) => [path.split("/").slice(1).join("/"), timeless(text)]));
}

/** @param {number} trial @param {number} seconds @param {Map<string, string>} expected */
async function kill(trial, seconds, expected) {
  const started = performance.now();
  const context = await newProfile();
  const after = Math.random() * seconds;
  const how = trial % 3 === 2 ? "crash" : "close";
  const first = await openTab(context, START);
  await first.waitForTimeout(after * 1000);
  const last = await first.evaluate(() => {
    const event = globalThis.errataEvents?.at(-1);
    if (!event) return "before the first event";
    return event.type === "stage" ? event.stage : event.type === "answer" ? event.answer.phase : event.type;
  });
  if (how === "crash") {
    const session = await context.newCDPSession(first);
    void session.send("Page.crash").catch(() => {}); // no answer comes from a page that has crashed
    await first.waitForEvent("crash");
  }
  await first.close({ runBeforeUnload: false });
  const second = await openTab(context, START.replace("&autostart=1", ""));
  await second.waitForFunction(() => ["ready", "failed"].includes(document.documentElement.dataset.state ?? ""), undefined, WAIT);
  await second.waitForTimeout(1000);
  const offer = second.getByRole("button", { name: "Go on with it" });
  const offered = (await offer.count()) > 0;
  let different = /** @type {string[]} */ ([]);
  try {
    const over = !offered && (await keptFiles(second)).size > 0; // killed when it had come to its end
    if (offered) await offer.click();
    else if (!over) await second.goto(`${opened.origin}/${START}`); // killed before it had begun
    if (!over) await finished(second);
    different = differing(expected, await keptFiles(second));
  } catch (error) {
    different = [error instanceof Error ? error.message : String(error)];
  }
  await context.close();
  const kills = [{ how, after: Math.round(after * 10) / 10, at: last }];
  return { trial, kills, offered, equal: different.length === 0, different, seconds: (performance.now() - started) / 1000 };
}

const context = await newProfile();
const began = performance.now();
const whole = await openTab(context, START);
await finished(whole);
const seconds = (performance.now() - began) / 1000;
const expected = await keptFiles(whole);
await context.close();
console.error(`not killed: ${seconds.toFixed(0)} s, ${[...expected.keys()].sort().join(", ")}`);
for (let trial = done; trial < count; trial++) {
  const result = await kill(trial, seconds, expected);
  appendFileSync(log, `${JSON.stringify(result)}\n`);
  console.error(JSON.stringify(result));
}
await opened.close();
