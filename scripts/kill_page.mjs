// Closes or crashes the page in the middle of a run, opens it again, goes on, and compares the files with those of a run that was left
// alone: node scripts/kill_page.mjs FOLDER KILLS. A run is killed several times before it may end: what a kill costs is mostly the start
// after it. A line of JSON per run goes to FOLDER/kill_page.jsonl; called again, it goes on there.
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { differing, timeless } from "./compare_runs.mjs";
import { openBuiltPage } from "./page_in_chromium.mjs";
import { SETTINGS, shrinkRuns } from "./small_run.mjs";

/** @typedef {import("playwright").Page} Page */

const MOST_KILLS = 5; // of one run
const LONGEST_LIFE = 0.6; // between two of them, of the time that the run takes

const [folder, wanted] = [process.argv[2], Number(process.argv[3])];
if (!folder || !Number.isInteger(wanted)) throw new Error("node scripts/kill_page.mjs FOLDER KILLS");
mkdirSync(folder, { recursive: true });
const log = join(folder, "kill_page.jsonl");
const trials = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
let killed = trials.reduce((sum, line) => sum + JSON.parse(line).kills.length, 0);
if (killed >= wanted) process.exit(0);

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

/** Lets the page run for `seconds`; true when its run has ended by then. @param {Page} page @param {number} seconds */
async function endsWithin(page, seconds) {
  const ended = () => ["finished", "failed"].includes(document.documentElement.dataset.state ?? "");
  try {
    await page.waitForFunction(ended, undefined, { timeout: Math.max(1, seconds * 1000), polling: 200 });
    return true;
  } catch (error) {
    if (error instanceof Error && error.name === "TimeoutError") return false;
    throw error;
  }
}

/** Closes or crashes the page; tells where its run was. @param {Page} page @param {"close" | "crash"} how */
async function end(page, how) {
  const last = await page.evaluate(() => {
    const event = globalThis.errataEvents?.at(-1);
    if (!event) return "before the first event";
    return event.type === "stage" ? event.stage : event.type === "answer" ? event.answer.phase : event.type;
  });
  if (how === "crash") {
    const session = await page.context().newCDPSession(page);
    void session.send("Page.crash").catch(() => {}); // no answer comes from a page that has crashed
    await page.waitForEvent("crash");
  }
  await page.close({ runBeforeUnload: false });
  return last;
}

/** Opens the page again and goes on with its run. @param {import("playwright").BrowserContext} context */
async function reopen(context) {
  const page = await openTab(context, START.replace("&autostart=1", ""));
  await page.waitForFunction(() => ["ready", "failed"].includes(document.documentElement.dataset.state ?? ""), undefined, WAIT);
  await page.waitForTimeout(1000);
  const offer = page.getByRole("button", { name: "Go on with it" });
  const offered = (await offer.count()) > 0;
  const over = !offered && (await keptFiles(page)).has("files/run.json"); // killed when it had come to its end
  if (offered) await offer.click();
  else if (!over) await page.goto(`${opened.origin}/${START}`); // killed before it had begun
  return { page, over };
}

/**
 * One run, killed again and again, then to the end.
 * @param {number} trial
 * @param {number} most kills
 * @param {number} seconds that the run takes
 * @param {Map<string, string>} expected
 */
async function kill(trial, most, seconds, expected) {
  const started = performance.now();
  const context = await newProfile();
  const kills = [];
  let different = /** @type {string[]} */ ([]);
  try {
    let life = { page: await openTab(context, START), over: false };
    while (!life.over && kills.length < most) {
      const after = Math.random() * LONGEST_LIFE * seconds;
      if (await endsWithin(life.page, after)) break;
      /** @type {"close" | "crash"} */
      const how = (trial + kills.length) % 3 === 2 ? "crash" : "close";
      kills.push({ how, after: Math.round(after * 10) / 10, at: await end(life.page, how) });
      life = await reopen(context);
    }
    if (!life.over) await finished(life.page);
    different = differing(expected, await keptFiles(life.page));
  } catch (error) {
    different = [error instanceof Error ? error.message : String(error)];
  }
  await context.close();
  return { trial, kills, equal: different.length === 0, different, seconds: (performance.now() - started) / 1000 };
}

const context = await newProfile();
const began = performance.now();
const whole = await openTab(context, START);
await finished(whole);
const seconds = (performance.now() - began) / 1000;
const expected = await keptFiles(whole);
await context.close();
console.error(`not killed: ${seconds.toFixed(0)} s, ${[...expected.keys()].sort().join(", ")}`);
for (let trial = trials.length; killed < wanted; trial++) {
  const result = await kill(trial, Math.min(MOST_KILLS, wanted - killed), seconds, expected);
  killed += result.kills.length;
  appendFileSync(log, `${JSON.stringify(result)}\n`);
  console.error(JSON.stringify(result));
}
await opened.close();
