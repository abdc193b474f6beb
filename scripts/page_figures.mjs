// npm run page-figures: measures the built page in a headless Chromium and writes docs/results/page.md.
// npm run page-figures -- --live also trains on a software adapter and times the first step (a minute or two).
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { ensureDependencies, fail, repository, requireNode } from "./install.mjs";

const VIEWPORT = { width: 1280, height: 720 };
const VIEWS = ["Run", "Curves", "Compare", "Answers", "Machine"];
const PLAYED_MS = 20_000;
const OPENINGS = 3;
const MB = 1e6;

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
      `Made by \`npm run page-figures${process.argv.includes("--live") ? " -- --live" : ""}\` on ${cpus().length} cores (${cpus()[0]?.model.trim()}), headless Chromium, ${VIEWPORT.width}x${VIEWPORT.height}, the built page from localhost.`,
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
