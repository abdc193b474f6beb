// npm run page-figures: measures the built page in a headless Chromium and writes docs/results/page.md.
// npm run page-figures -- --live also trains on a software adapter and times the first step (a minute or two).
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { ensureDependencies, fail, repository, requireNode } from "./install.mjs";

const VIEWPORT = { width: 1280, height: 720 };
const VIEWS = ["Run", "Curves", "Compare", "Answers", "Machine"];
const PLAYED_MS = 20_000;
const OPENINGS = 3;
const MB = 1e6;
const LARGE = 10_000;

/** Bytes of a built file as servers send it. @param {string} path */
const gzipped = (path) => gzipSync(readFileSync(path), { level: 9 }).length;

function sizes(/** @type {string} */ built) {
  const assets = join(built, "assets");
  const scripts = readdirSync(assets).filter((name) => name.endsWith(".js"));
  return scripts.map((name) => ({ name: name.replace(/-[\w-]{8}\.js$/, ".js"), bytes: gzipped(join(assets, name)) }));
}

/** Opens the page once: first contentful paint, first event of the recorded run, and its long tasks, in ms after navigation. */
async function opening(/** @type {(path: string, options: any) => Promise<any>} */ openBuiltPage, /** @type {number} */ playMs) {
  const { page, close, foreignRequests } = await openBuiltPage("", { webgpu: false, viewport: VIEWPORT });
  try {
    await page.waitForFunction(() => window.errataEvents?.some(({ type }) => type === "answer"), null, { polling: 20 });
    const movedMs = await page.evaluate(() => performance.now());
    await page.waitForTimeout(playMs);
    const measured = await page.evaluate(async () => {
      const paint = performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null;
      const tasks = await new Promise((resolve) => {
        const observer = new PerformanceObserver((list) =>
          resolve(list.getEntries().map(({ startTime, duration }) => ({ startTime, duration }))),
        );
        observer.observe({ type: "longtask", buffered: true });
        setTimeout(() => resolve([]), 500);
      });
      return { paint, tasks };
    });
    return { ...measured, movedMs, foreign: foreignRequests.length };
  } finally {
    await close();
  }
}

async function axe(/** @type {(path: string, options: any) => Promise<any>} */ openBuiltPage) {
  const { AxeBuilder } = await import("@axe-core/playwright");
  const { page, close } = await openBuiltPage("", { webgpu: false, viewport: VIEWPORT });
  let found = 0;
  try {
    for (const view of VIEWS) {
      await page.getByRole("navigation", { name: "Views" }).getByRole("button", { name: view }).click();
      await page.waitForTimeout(2000);
      for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await page.waitForTimeout(200);
        found += (await new AxeBuilder({ page }).analyze()).violations.length;
      }
    }
    return found;
  } finally {
    await close();
  }
}

/** A run of as many steps and exam answers: the recorded one, repeated. @returns {Promise<Buffer>} its zip */
async function largeRun() {
  const { strFromU8, strToU8, unzipSync, zipSync } = await import("fflate");
  const files = unzipSync(new Uint8Array(readFileSync(join(repository, "public", "recorded", "ap2o-h2l.zip"))));
  const lines = (/** @type {string} */ name) =>
    strFromU8(files[name] ?? new Uint8Array())
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  const write = (/** @type {string} */ name, /** @type {object[]} */ rows) => {
    files[name] = strToU8(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  };
  const metrics = lines("metrics.jsonl");
  write(
    "metrics.jsonl",
    Array.from({ length: LARGE }, (_, i) => ({ ...metrics[i % metrics.length], step: i + 1 })),
  );
  for (const name of ["samples.jsonl", "results.jsonl"]) {
    const exam = lines(name).filter(({ phase }) => phase === "exam");
    write(
      name,
      Array.from({ length: LARGE }, (_, i) => ({
        ...exam[i % exam.length],
        sample_index: 100 * Math.floor(i / exam.length) + exam[i % exam.length].sample_index,
      })),
    );
  }
  return Buffer.from(zipSync(files, { level: 1 }));
}

/** Longest task, in ms, while the large run's curves are drawn again and again and its answers are scrolled through. */
async function largeRunTask(/** @type {(path: string, options: any) => Promise<any>} */ openBuiltPage) {
  const { page, close } = await openBuiltPage("?view=curves", { webgpu: false, viewport: VIEWPORT });
  try {
    await page.getByLabel("A run's zip").setInputFiles({ name: "large.zip", mimeType: "application/zip", buffer: await largeRun() });
    await page.waitForFunction(() => document.querySelector(".playback")?.textContent?.includes("Recorded run"));
    await page.waitForTimeout(4000);
    await page.getByRole("slider", { name: "Moment of the recorded run" }).evaluate((/** @type {HTMLInputElement} */ input) => {
      input.value = String(Number(input.max) * 0.9);
      input.dispatchEvent(new Event("input", { bubbles: true }));
    });
    await page.waitForTimeout(1000);
    await page.evaluate(() => {
      Reflect.set(window, "longest", 0);
      new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) Reflect.set(window, "longest", Math.max(Reflect.get(window, "longest"), duration));
      }).observe({ type: "longtask" });
    });
    await page.waitForTimeout(3000); // it plays on: ten thousand points in each curve
    await page.getByRole("navigation", { name: "Views" }).getByRole("button", { name: "Answers" }).click();
    for (let i = 0; i < 20; i++) {
      await page.getByRole("listbox", { name: "Answers" }).evaluate((/** @type {HTMLElement} */ list, /** @type {number} */ share) => {
        list.scrollTop = list.scrollHeight * share;
      }, i / 20);
      await page.waitForTimeout(100);
    }
    return await page.evaluate(() => Number(Reflect.get(window, "longest")));
  } finally {
    await close();
  }
}

/** Chromium tells only of tasks from 50 ms on. @param {number} ms */
const longTask = (ms) => (ms > 0 ? `${ms.toFixed(0)} ms` : "none of 50 ms or more");

/** How long input waits while a run trains on the software adapter, and when its first step came, in ms. */
async function live(/** @type {(path: string, options: any) => Promise<any>} */ openBuiltPage) {
  const { page, close } = await openBuiltPage("?preset=smoke&seed=1", { webgpu: true, viewport: VIEWPORT });
  try {
    await page.waitForFunction(
      () =>
        document.querySelector(".transport .primary")?.textContent === "Train it live" &&
        !document.querySelector(".transport .primary:disabled"),
      null,
      { timeout: 120_000 },
    );
    const clicked = Date.now();
    await page.locator(".transport .primary").click();
    const delays = [];
    while (!(await page.evaluate(() => window.errataEvents.some(({ type }) => type === "step")))) {
      const sent = Date.now();
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0))));
      delays.push(Date.now() - sent);
      await page.waitForTimeout(200);
      if (Date.now() - clicked > 400_000) throw new Error("No step was trained within 400 s.");
    }
    const firstStepMs = Date.now() - clicked;
    delays.sort((a, b) => a - b);
    return { firstStepMs, medianMs: delays[Math.floor(delays.length / 2)], p95Ms: delays[Math.floor(delays.length * 0.95)] };
  } finally {
    await close();
  }
}

async function main() {
  try {
    requireNode();
    ensureDependencies();
    const { openBuiltPage } = await import("./page_in_chromium.mjs"); // needs the dependencies
    const { builtPage, ensureBuilt } = await import("./build.mjs");
    ensureBuilt();
    const [load = 0] = loadavg(); // other work makes every time longer
    const scripts = sizes(builtPage);
    const runs = [];
    for (let i = 0; i < OPENINGS; i++) runs.push(await opening(openBuiltPage, i === 0 ? PLAYED_MS : 0));
    const median = (/** @type {number[]} */ values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
    const longest = Math.max(0, ...runs.flatMap(({ tasks }) => tasks.map((/** @type {{duration: number}} */ task) => task.duration)));
    const rows = [
      ["first contentful paint", "≤ 1000 ms", `${median(runs.map(({ paint }) => paint)).toFixed(0)} ms`],
      ["recorded run moving, page interactive", "≤ 2000 ms", `${median(runs.map(({ movedMs }) => movedMs)).toFixed(0)} ms`],
      ["longest task, loading and playing", "≤ 200 ms", `${longest.toFixed(0)} ms`],
      [
        "JavaScript, gzip",
        "≤ 250 KB",
        `${(scripts.reduce((sum, { bytes }) => sum + bytes, 0) / 1000).toFixed(0)} KB (${scripts.map(({ name, bytes }) => `${name} ${(bytes / 1000).toFixed(0)}`).join(", ")})`,
      ],
      [
        "recorded runs",
        "≤ 2 MB",
        `${(readdirSync(join(builtPage, "recorded")).reduce((sum, name) => sum + readFileSync(join(builtPage, "recorded", name)).length, 0) / MB).toFixed(2)} MB`,
      ],
      ["requests to other origins", "0", String(runs.reduce((sum, { foreign }) => sum + foreign, 0))],
      ["longest task with 10,000 steps drawn and 10,000 answers scrolled through", "≤ 200 ms", longTask(await largeRunTask(openBuiltPage))],
      ["axe violations, five views, two themes", "0", String(await axe(openBuiltPage))],
    ];
    if (process.argv.includes("--live")) {
      const { firstStepMs, medianMs, p95Ms } = await live(openBuiltPage);
      rows.push(["first trained step after the click, SwiftShader, smoke", "≤ 60 s", `${(firstStepMs / 1000).toFixed(0)} s`]);
      rows.push(["a frame asked for during that, median and 95th percentile", "≤ 100 ms", `${medianMs} and ${p95Ms} ms`]);
    }
    const text = [
      "# The page in figures",
      "",
      `Made by \`npm run page-figures${process.argv.includes("--live") ? " -- --live" : ""}\` on ${cpus().length} cores (${cpus()[0]?.model.trim()}), headless Chromium, ${VIEWPORT.width}x${VIEWPORT.height}, the built page from localhost. Load average at the start: ${load.toFixed(1)}.`,
      `Times are medians of ${OPENINGS} openings with an empty cache, from the start of the navigation; the longest task is of all openings, one of them played for ${PLAYED_MS / 1000} s.`,
      "",
      "| what | to reach | measured |",
      "|---|---|---|",
      ...rows.map((row) => `| ${row.join(" | ")} |`),
      "",
    ].join("\n");
    writeFileSync(join(repository, "docs", "results", "page.md"), text);
    console.log(text);
  } catch (error) {
    fail(error, 1);
  }
}

await main();
