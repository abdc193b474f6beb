// Lets the built page run one small run after the other for so many minutes, and watches what grows: node scripts/soak.mjs MINUTES.
// Prints a Markdown table; exit status 1 where memory or listeners grew beyond the noise.
import { readdirSync, readFileSync } from "node:fs";
import { openBuiltPage } from "./page_in_chromium.mjs";

/** Growth of a straight line through the second half of the samples, as a share of their mean, that counts as noise. */
const NOISE = 0.1;

/** @typedef {{ minutes: number, runs: number, heapMb: number, listeners: number, nodes: number, rssMb: number }} Sample */

/** Resident memory of a process and all below it, in MB: page, worker, sandbox and the software GPU. @param {number} root */
function residentMb(root) {
  const processes = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const status = readFileSync(`/proc/${name}/status`, "utf8");
        const field = (/** @type {string} */ key) => Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
        return [{ pid: Number(name), parent: field("PPid"), kb: field("VmRSS") }];
      } catch {
        return []; // it has ended meanwhile
      }
    });
  const family = new Set([root]);
  for (let before = 0; before !== family.size; ) {
    before = family.size;
    for (const { pid, parent } of processes) if (family.has(parent)) family.add(pid);
  }
  return processes.filter(({ pid }) => family.has(pid)).reduce((sum, { kb }) => sum + kb / 1024, 0);
}

/** Slope times length of the least-squares line, as a share of the mean. @param {number[]} values */
function growth(values) {
  const n = values.length;
  const meanX = (n - 1) / 2;
  const meanY = values.reduce((sum, value) => sum + value, 0) / n;
  const top = values.reduce((sum, value, x) => sum + (x - meanX) * (value - meanY), 0);
  const bottom = values.reduce((sum, _, x) => sum + (x - meanX) ** 2, 0);
  return bottom === 0 ? 0 : ((top / bottom) * (n - 1)) / meanY;
}

const minutes = Number(process.argv[2]);
const opened = await openBuiltPage("?preset=smoke&autostart=1&seed=1", { webgpu: true });
const { page } = opened;
const session = await page.context().newCDPSession(page);
await session.send("Performance.enable");
const started = Date.now();
/** @type {Sample[]} */
const samples = [];
let runs = 0;
while (Date.now() - started < minutes * 60_000) {
  await page.waitForTimeout(15_000);
  const state = await page.locator("html").getAttribute("data-state");
  if (state === "failed") throw new Error(`the page failed: ${(await page.getByRole("alert").allTextContents()).join(" ")}`);
  if (state === "finished") {
    runs += 1;
    await page.getByRole("button", { name: /start/i }).first().click();
  }
  await session.send("HeapProfiler.collectGarbage");
  const { metrics } = await session.send("Performance.getMetrics");
  const metric = (/** @type {string} */ name) => metrics.find((entry) => entry.name === name)?.value ?? 0;
  samples.push({
    minutes: (Date.now() - started) / 60_000,
    runs,
    heapMb: metric("JSHeapUsedSize") / 2 ** 20,
    listeners: metric("JSEventListeners"),
    nodes: metric("Nodes"),
    rssMb: residentMb(process.pid),
  });
}
await opened.close();
const half = samples.slice(Math.floor(samples.length / 2));
const grown = {
  heap: growth(half.map(({ heapMb }) => heapMb)),
  resident: growth(half.map(({ rssMb }) => rssMb)),
  listeners: growth(half.map(({ listeners }) => listeners)),
};
console.log(
  `${minutes} minutes, ${runs} runs to their end, one after the other in one page. Growth over the second half, as a share of the mean: page heap ${(100 * grown.heap).toFixed(1)} %, resident memory of all processes ${(100 * grown.resident).toFixed(1)} %, listeners ${(100 * grown.listeners).toFixed(1)} %.`,
);
console.log("\n| minutes | runs | page heap | resident, all processes | listeners | nodes |\n|---|---|---|---|---|---|");
const shown = samples.filter((_, i) => i % Math.max(1, Math.floor(samples.length / 12)) === 0);
for (const sample of shown)
  console.log(
    `| ${sample.minutes.toFixed(1)} | ${sample.runs} | ${sample.heapMb.toFixed(1)} MB | ${sample.rssMb.toFixed(0)} MB | ${sample.listeners} | ${sample.nodes} |`,
  );
process.exit(Object.values(grown).every((share) => share < NOISE) ? 0 : 1);
