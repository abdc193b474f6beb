// The whole loop in a browser, as a visitor has it: the built page, the embedded model, WebGPU, Pyodide.
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openBuiltPage } from "../../scripts/page_in_chromium.mjs";
import type { RunEvent } from "../../src/records.ts";
import { drop } from "./drop.ts";

declare global {
  /** The page's event log. */
  var errataEvents: RunEvent[] | undefined;
}

type OfType<T extends RunEvent["type"]> = Extract<RunEvent, { type: T }>;

const FIRST_STEP_WITHIN_MS = 300_000; // a minute or two alone on two cores; this machine may have other things to do
const ANSWER_WITHIN_MS = 90_000;
const QUIET_MS = 3000;
const TRAINED = /ap2o-h2l, smoke, seed 1/;

let opened: Awaited<ReturnType<typeof openBuiltPage>>;
let page: Page;

beforeAll(async () => {
  opened = await openBuiltPage("?preset=smoke&autostart=1&seed=1", { webgpu: true });
  page = opened.page;
  await until(
    "the first trained step",
    () => globalThis.errataEvents?.some((event) => event.type === "step") ?? false,
    FIRST_STEP_WITHIN_MS,
  );
}, FIRST_STEP_WITHIN_MS + 60_000);

afterAll(() => opened?.close());

const state = () => page.locator("html").getAttribute("data-state");

/** Waits until `condition` holds in the page; throws where it stood instead when it does not in time, or when the run fails. */
async function until(what: string, condition: () => boolean, timeout = ANSWER_WITHIN_MS): Promise<void> {
  try {
    await Promise.race([
      page.waitForFunction(condition, undefined, { timeout, polling: 200 }),
      page.waitForSelector('html[data-state="failed"]', { timeout }).then(() => Promise.reject(new Error("the run failed"))),
    ]);
  } catch (error) {
    const last = await page.evaluate(() => JSON.stringify(globalThis.errataEvents?.at(-1) ?? null));
    const alerts = await page.getByRole("alert").allTextContents();
    const message = `${what} did not come (page ${await state()}, alerts ${JSON.stringify(alerts)}, last event ${last})`;
    throw new Error(message, { cause: error });
  }
}

/** The run's events of one type so far. */
const eventsOf = <T extends RunEvent["type"]>(type: T): Promise<OfType<T>[]> =>
  page.evaluate((wanted) => (globalThis.errataEvents ?? []).filter((event): event is OfType<T> => event.type === wanted), type);

const countEvents = () => page.evaluate(() => globalThis.errataEvents?.length ?? 0);

/** The number of events when none has come for a while: what was under way at a pause comes to its end first. */
async function settledCount(): Promise<number> {
  const deadline = Date.now() + ANSWER_WITHIN_MS;
  for (let before = await countEvents(); Date.now() < deadline; ) {
    await page.waitForTimeout(QUIET_MS);
    const now = await countEvents();
    if (now === before) return now;
    before = now;
  }
  throw new Error("events kept coming although the run was paused");
}

const press = (name: RegExp) => page.getByRole("button", { name }).first().click();

test("the browser has a WebGPU adapter", async () => {
  const adapter = await page.evaluate(async () => {
    const info = (await navigator.gpu.requestAdapter())?.info;
    return info ? `${info.vendor} ${info.architecture}` : null;
  });
  console.log(`adapter: ${adapter}`);
  expect(adapter).not.toBeNull();
});

test("answers are judged: some pass, and some fail with the type of their error", async () => {
  const answers = (await eventsOf("answer")).map((event) => event.answer);
  expect(answers.some((answer) => answer.verdict === "pass" && answer.error_type === "")).toBe(true);
  expect(answers.some((answer) => answer.verdict !== "pass" && answer.error_type !== "")).toBe(true);
  expect(answers.filter((answer) => answer.verdict === "infra_error")).toEqual([]);
});

test("the failed answers are in the notebook, by the type of their error", async () => {
  const [event] = await eventsOf("notebook");
  expect(Object.keys(event?.notebook.counts ?? {}).length).toBeGreaterThan(1);
  expect(event?.notebook.problems.length).toBeGreaterThan(0);
});

test("a step is trained on pairs of a right and a wrong answer", async () => {
  const [first] = await eventsOf("step");
  expect(first?.metrics.step).toBe(1);
  expect(first?.metrics.loss).toBeCloseTo(Math.log(2), 5); // the adapter begins at zero, so the model is its own reference
  expect(first?.metrics.grad_norm).toBeGreaterThan(0);
  expect(first?.pairs.length).toBeGreaterThan(0);
  for (const pair of first?.pairs ?? []) expect(pair.chosen).not.toBe(pair.rejected);
});

test("pause holds the run, resume goes on", async () => {
  await press(/^pause/i);
  await until("the pause", () => document.documentElement.dataset.state === "paused");
  const told = await settledCount();
  await press(/^(resume|continue)/i);
  await until("the end of the pause", () => document.documentElement.dataset.state !== "paused");
  await page.waitForFunction((n) => (globalThis.errataEvents?.length ?? 0) > n, told, { timeout: ANSWER_WITHIN_MS });
});

test("a step goes on to the end of the next optimiser step, and holds there", async () => {
  if ((await state()) === "finished") throw new Error("The run ended before it could be stepped.");
  await press(/^pause/i);
  await until("the pause", () => document.documentElement.dataset.state === "paused");
  await settledCount();
  const steps = (await eventsOf("step")).length;
  await press(/^step$/i);
  await page.waitForFunction((n) => (globalThis.errataEvents ?? []).filter(({ type }) => type === "step").length > n, steps, {
    timeout: ANSWER_WITHIN_MS,
  });
  await until("the next hold", () => document.documentElement.dataset.state === "paused");
  await settledCount();
  expect((await eventsOf("step")).length).toBe(steps + 1);
  await press(/^resume/i);
});

test("stop ends the run and keeps it", async () => {
  if ((await state()) === "running") await press(/^stop/i);
  await until("the end", () => document.documentElement.dataset.state === "finished");
  expect((await eventsOf("step")).length).toBeGreaterThan(0);
});

/** What the model answers with an adapter to the prompt that the view opens with. */
async function askWith(adapter: RegExp): Promise<string> {
  const choice = page.getByRole("combobox", { name: "Adapter" });
  const option = choice.getByRole("option", { name: adapter });
  await option.waitFor({ state: "attached", timeout: ANSWER_WITHIN_MS });
  await choice.selectOption((await option.getAttribute("value")) ?? "");
  await page.getByRole("button", { name: "Answer", exact: true }).click();
  const reply = page
    .getByRole("region", { name: "Ask the model" })
    .getByRole("region", { name: new RegExp(`^With ${adapter.source.slice(1)}`) });
  await reply.waitFor({ timeout: ANSWER_WITHIN_MS });
  return reply.innerText();
}

/** The first problems of each split, so that an exam takes seconds. */
function fewProblems(): Buffer {
  const lines = readFileSync(join(import.meta.dirname, "../../public/problems/demo.jsonl"), "utf8")
    .trim()
    .split("\n");
  const first = (split: string, n: number) => lines.filter((line) => line.includes(`"split": "${split}"`)).slice(0, n);
  return Buffer.from([...first("train", 5), ...first("validation", 2), ...first("evaluation", 2)].join("\n"));
}

const openView = (name: string) => page.getByRole("navigation", { name: "Views" }).getByRole("button", { name }).click();

test("the model answers a prompt, alone and with the adapter that was trained", async () => {
  await openView("Answers");
  await page
    .getByRole("combobox", { name: "Adapter" })
    .getByText(TRAINED)
    .last() // the best one; beside it that of the last step, where it is another
    .waitFor({ state: "attached", timeout: ANSWER_WITHIN_MS });
  await page.getByRole("button", { name: "Answer", exact: true }).click();
  const reply = (name: RegExp) => page.getByRole("region", { name: "Ask the model" }).getByRole("region", { name });
  await reply(/^Model alone/).waitFor({ timeout: ANSWER_WITHIN_MS });
  await reply(/^With ap2o-h2l/).waitFor({ timeout: ANSWER_WITHIN_MS });
  expect(await reply(/^With ap2o-h2l/).textContent()).toContain("sum_even");
  await page.getByRole("button", { name: "How likely is it?" }).click();
  await page.getByText(/Whole answer:.*with the adapter/).waitFor({ timeout: ANSWER_WITHIN_MS });
});

test("the adapter's PEFT zip is opened again beside it, and answers as the one it was made of", async () => {
  const coming = page.waitForEvent("download");
  await press(/^Share/);
  await press(/^Adapter/);
  await drop(page, { name: "errata-adapter.zip", bytes: readFileSync(await (await coming).path()) });
  const own = await askWith(/^ap2o-h2l, smoke, seed 1$/);
  const reopened = await askWith(/^errata-adapter$/);
  expect(reopened).toBe(own);
});

test("the machine's speed is measured, and shown as a table", async () => {
  await openView("Machine");
  await press(/^Measure its speed/);
  const table = page.getByRole("region", { name: "Speed of the GPU" });
  await table.waitFor({ timeout: ANSWER_WITHIN_MS });
  const cells = (await table.getByRole("row").allInnerTexts()).join("\n");
  expect(cells).toMatch(/registers alone\s+[\d.]+ GFLOP\/s/);
  expect(cells).toMatch(/Product up forward, 256x128x384, tile [^\t]+\t[\d.]+ GFLOP\/s\s+\d+/);
  expect(cells).toMatch(/Copy, read and written\s+[\d.]+ GB\/s/);
  expect(cells).toMatch(/Dispatch that does nothing\s+[\d.]+ µs/);
});

test("the driver was found to compute what it should", async () => {
  await page.getByText("It computes what it should.").waitFor();
});

test("axe finds nothing on the board of a run that is over, nor in the views with a model", async () => {
  for (const view of ["Run", "Answers", "Machine"]) {
    await openView(view);
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(
      violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`),
      view,
    ).toEqual([]);
  }
});

test("a run trains on from an adapter: its first loss is no longer that of the model alone", async () => {
  await page.getByLabel("A problem file").setInputFiles({ name: "few.jsonl", mimeType: "", buffer: fewProblems() });
  await page.getByText("few.jsonl: 5 to train on").waitFor();
  await page.getByRole("radio", { name: /errata-adapter/ }).check();
  await press(/^Start again/);
  await until("the run", () => document.documentElement.dataset.state === "running");
  await until("its first step", () => (globalThis.errataEvents ?? []).some(({ type }) => type === "step"), FIRST_STEP_WITHIN_MS);
  await press(/^Stop/);
  await until("its end", () => document.documentElement.dataset.state === "finished");
  const [first] = await eventsOf("step");
  expect(Math.abs((first?.metrics.loss ?? 0) - Math.log(2))).toBeGreaterThan(1e-4); // the reference is the model without any adapter
});

test("a broken folder is refused in a sentence, and the model that is loaded stays", async () => {
  const broken = mkdtempSync(join(tmpdir(), "errata-broken-"));
  writeFileSync(join(broken, "config.json"), "{}");
  await page.getByLabel("Open a folder …").setInputFiles(broken);
  await page.getByRole("alert").filter({ hasText: "config.json" }).waitFor({ timeout: ANSWER_WITHIN_MS });
  await page.getByRole("button", { name: "Close" }).click();
  expect(await page.getByRole("region", { name: "Model" }).textContent()).toContain("errata-demo");
});

test("problems that do not parse are refused in a sentence", async () => {
  await page
    .getByLabel("A problem file")
    .setInputFiles({ name: "bad.jsonl", mimeType: "text/plain", buffer: Buffer.from('{"task_id": 1}\n') });
  await page.getByRole("alert").filter({ hasText: "bad.jsonl" }).waitFor({ timeout: ANSWER_WITHIN_MS });
  await page.getByRole("button", { name: "Close" }).click();
});

test("a model is loaded from a folder", async () => {
  await page.getByLabel("Open a folder …").setInputFiles(join(import.meta.dirname, "../../public/models/demo"));
  await page.getByRole("region", { name: "Model" }).getByText("demo", { exact: false }).getByText("871 K parameters").waitFor();
  await until("the folder's model", () => /Model: demo,/.test(document.querySelector("footer")?.textContent ?? ""));
});

test("reset forgets the run", async () => {
  await openView("Run");
  await press(/^reset/i);
  await until("the empty board", () => document.documentElement.dataset.state === "ready" && globalThis.errataEvents?.length === 0);
  await page.getByRole("button", { name: "Start the exam" }).waitFor();
});

test("nothing was asked of another origin, and nothing complained", () => {
  expect(opened.foreignRequests).toEqual([]);
  expect(opened.errors).toEqual([]);
});
