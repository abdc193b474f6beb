// Lets the built page run one small run after the other for so many minutes, and watches what grows: node scripts/soak.mjs MINUTES.
// Prints a Markdown table; exit status 1 where something grew beyond the noise, or where the runs were too few to tell.
import { readdirSync, readFileSync } from "node:fs";
import { openBuiltPage } from "./page_in_chromium.mjs";
import { SETTINGS, shrinkRuns } from "./small_run.mjs";

/** Growth of a straight line through the second half of the samples, as a share of their mean, that counts as noise. */
const NOISE = 0.1;
/** Samples that a line needs. */
const FEWEST = 3;
const RUN_WITHIN_MS = 900_000;

/** @typedef {Record<"page heap" | "worker heap" | "GPU memory" | "GPU buffers" | "resident, all processes" | "listeners" | "nodes", number>} Sample */

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
  return bottom === 0 || meanY === 0 ? 0 : ((top / bottom) * (n - 1)) / meanY;
}

/**
 * The engine worker, to be asked by DevTools' protocol: playwright's own session of it has no heap.
 * @param {import("playwright").CDPSession} session of its page
 * @returns {Promise<(method: string) => Promise<any>>}
 */
async function engineWorker(session) {
  /** @type {Promise<string>} */
  const attached = new Promise((resolve) => {
    session.on("Target.attachedToTarget", ({ sessionId, targetInfo }) => {
      if (targetInfo.url.includes("engine.worker")) resolve(sessionId);
    });
  });
  await session.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  const sessionId = await attached;
  let asked = 0;
  return (method) =>
    new Promise((resolve, reject) => {
      const id = ++asked;
      const hear = (/** @type {{ sessionId: string, message: string }} */ { sessionId: from, message }) => {
        const answer = JSON.parse(message);
        if (from !== sessionId || answer.id !== id) return;
        session.off("Target.receivedMessageFromTarget", hear);
        if (answer.error) reject(new Error(`${method}: ${answer.error.message}`));
        else resolve(answer.result);
      };
      session.on("Target.receivedMessageFromTarget", hear);
      session.send("Target.sendMessageToTarget", { sessionId, message: JSON.stringify({ id, method }) }).catch(reject);
    });
}

const minutes = Number(process.argv[2]);
const opened = await openBuiltPage("", { webgpu: true });
const { page, origin } = opened;
await page.addInitScript(shrinkRuns, SETTINGS);
await page.goto(`${origin}/?preset=smoke&autostart=1&seed=3`);
const session = await page.context().newCDPSession(page);
await session.send("Performance.enable");
const askWorker = await engineWorker(session);

/** @returns {Promise<Sample>} */
async function sample() {
  await session.send("HeapProfiler.collectGarbage");
  await askWorker("HeapProfiler.collectGarbage");
  const { metrics } = await session.send("Performance.getMetrics");
  const metric = (/** @type {string} */ name) => metrics.find((entry) => entry.name === name)?.value ?? 0;
  const { usedSize } = await askWorker("Runtime.getHeapUsage");
  const worker = page.workers().find((entry) => entry.url().includes("engine.worker"));
  const counters = await worker?.evaluate(() => globalThis.errataCounters());
  if (!counters) throw new Error("the engine's worker has no GPU open");
  return {
    "page heap": metric("JSHeapUsedSize") / 2 ** 20,
    "worker heap": usedSize / 2 ** 20,
    "GPU memory": counters.bytes / 2 ** 20,
    "GPU buffers": counters.buffers,
    "resident, all processes": residentMb(process.pid),
    listeners: metric("JSEventListeners"),
    nodes: metric("Nodes"),
  };
}

/** This browser's profile holds what the page stores in memory: kept runs would grow there. Runs in the page. */
async function forgetRuns() {
  await (await navigator.storage.getDirectory()).removeEntry("runs", { recursive: true });
}

const started = Date.now();
const ended = () => ["finished", "failed"].includes(document.documentElement.dataset.state ?? "");
/** At the end of every run: the same moment of each. @type {(Sample & { minutes: number })[]} */
const samples = [];
while (Date.now() - started < minutes * 60_000) {
  await page.waitForFunction(ended, undefined, { timeout: RUN_WITHIN_MS, polling: 500 });
  const state = await page.locator("html").getAttribute("data-state");
  if (state === "failed") throw new Error(`the page failed: ${(await page.getByRole("alert").allTextContents()).join(" ")}`);
  await page.waitForTimeout(2000); // its files are written once it has said so
  samples.push({ minutes: (Date.now() - started) / 60_000, ...(await sample()) });
  await page.evaluate(forgetRuns);
  await page.getByRole("button", { name: /start/i }).first().click();
}
await opened.close();
const half = samples.slice(Math.floor(samples.length / 2));
const [first] = samples;
const names = /** @type {(keyof Sample)[]} */ (Object.keys(first ?? {}).filter((name) => name !== "minutes"));
const grown = names.map((name) => ({ name, share: growth(half.map((entry) => entry[name])) }));
const told = grown.map(({ name, share }) => `${name} ${(100 * share).toFixed(1)} %`).join(", ");
console.log(
  `${minutes} minutes, ${samples.length} small runs to their end, one after the other in one page, looked at when each had ended. Growth over the second half, as a share of the mean: ${told}.`,
);
const unit = (/** @type {string} */ name) => (/heap|memory|resident/.test(name) ? " MB" : "");
console.log(`\n| minutes | ${names.join(" | ")} |\n|---|${names.map(() => "---|").join("")}`);
const shown = samples.filter((_, i) => i % Math.max(1, Math.floor(samples.length / 12)) === 0);
for (const entry of shown) {
  const cells = names.map((name) => `${entry[name].toFixed(unit(name) === "" ? 0 : 1)}${unit(name)}`);
  console.log(`| ${entry.minutes.toFixed(1)} | ${cells.join(" | ")} |`);
}
process.exit(half.length >= FEWEST && grown.every(({ share }) => share < NOISE) ? 0 : 1);
