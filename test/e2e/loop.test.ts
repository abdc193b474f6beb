// The whole loop in a browser, as a visitor has it: the built page, the embedded model, WebGPU, Pyodide.
import type { Page } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openBuiltPage } from "../../scripts/page_in_chromium.mjs";
import type { RunEvent } from "../../src/records.ts";

declare global {
  /** The page's event log. */
  var errataEvents: RunEvent[] | undefined;
}

type OfType<T extends RunEvent["type"]> = Extract<RunEvent, { type: T }>;

const FIRST_STEP_WITHIN_MS = 300_000; // a minute or two alone on two cores; this machine may have other things to do
const ANSWER_WITHIN_MS = 90_000;
const QUIET_MS = 3000;

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

test("stop ends the run and keeps it", async () => {
  if ((await state()) === "running") await press(/^stop/i);
  await until("the end", () => document.documentElement.dataset.state === "finished");
  expect((await eventsOf("step")).length).toBeGreaterThan(0);
});

test("nothing was asked of another origin, and nothing complained", () => {
  expect(opened.foreignRequests).toEqual([]);
  expect(opened.errors).toEqual([]);
});
