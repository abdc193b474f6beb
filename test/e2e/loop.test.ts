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

let opened: Awaited<ReturnType<typeof openBuiltPage>>;
let page: Page;

beforeAll(async () => {
  opened = await openBuiltPage("?preset=smoke&autostart=1&seed=1", { webgpu: true });
  page = opened.page;
});

afterAll(() => opened?.close());

const state = () => page.locator("html").getAttribute("data-state");

async function waitForState(...wanted: string[]): Promise<void> {
  await page.waitForFunction((states) => states.includes(document.documentElement.dataset.state ?? ""), [...wanted, "failed"], {
    timeout: 120_000,
  });
  expect(wanted, `the page says: ${await page.getByRole("alert").allInnerTexts()}`).toContain(await state());
}

/** The run's events of one type so far. */
const eventsOf = <T extends RunEvent["type"]>(type: T): Promise<OfType<T>[]> =>
  page.evaluate((wanted) => (globalThis.errataEvents ?? []).filter((event): event is OfType<T> => event.type === wanted), type);

/** Waits until the run has told `n` events of a type; ends early when the run has failed. */
async function waitForEvents(type: RunEvent["type"], n: number, timeoutMs: number): Promise<void> {
  await page.waitForFunction(
    ([wanted, least]) =>
      document.documentElement.dataset.state === "failed" ||
      (globalThis.errataEvents ?? []).filter((event) => event.type === wanted).length >= least,
    [type, n] as const,
    { timeout: timeoutMs, polling: 200 },
  );
  expect(await state(), `the page says: ${await page.getByRole("alert").allInnerTexts()}`).not.toBe("failed");
}

const press = (name: RegExp) => page.getByRole("button", { name }).first().click();

test("the run starts by itself on a WebGPU adapter", async () => {
  await waitForState("running");
  const adapter = await page.evaluate(async () => {
    const info = (await navigator.gpu.requestAdapter())?.info;
    return info ? `${info.vendor} ${info.architecture}` : null;
  });
  expect(adapter).not.toBeNull();
  console.log(`adapter: ${adapter}`);
});

test("answers are judged: some pass, and some fail with the type of their error", async () => {
  await waitForEvents("notebook", 1, 180_000);
  const answers = (await eventsOf("answer")).map((event) => event.answer);
  expect(answers.some((answer) => answer.verdict === "pass" && answer.error_type === "")).toBe(true);
  expect(answers.some((answer) => answer.verdict !== "pass" && answer.error_type !== "")).toBe(true);
  expect(answers.filter((answer) => answer.verdict === "infra_error")).toEqual([]);
});

test("a step is trained on pairs of a right and a wrong answer", async () => {
  await waitForEvents("step", 1, 180_000);
  const [first] = await eventsOf("step");
  expect(first?.steps).toBe(1);
  expect(first?.metrics.loss).toBeCloseTo(Math.log(2), 5); // with B = 0 the policy is the reference: -log sigmoid(0)
  expect(first?.metrics.grad_norm).toBeGreaterThan(0);
  expect(first?.pairs.length).toBeGreaterThan(0);
  for (const pair of first?.pairs ?? []) expect(pair.chosen).not.toBe(pair.rejected);
});

test("pause holds the run, resume goes on", async () => {
  await press(/^pause/i);
  await waitForState("paused");
  await page.waitForTimeout(1500); // what was under way comes to its end
  const told = () => page.evaluate(() => globalThis.errataEvents?.length ?? 0);
  const before = await told();
  await page.waitForTimeout(1500);
  expect(await told()).toBe(before);
  await press(/^(resume|continue)/i);
  await waitForState("running", "finished");
  await page.waitForFunction((n) => (globalThis.errataEvents?.length ?? 0) > n, before, { timeout: 60_000 });
});

test("stop ends the run and keeps it", async () => {
  if ((await state()) === "running") await press(/^stop/i);
  await waitForState("finished");
  expect((await eventsOf("step")).length).toBeGreaterThan(0);
});

test("nothing was asked of another origin, and nothing complained", () => {
  expect(opened.foreignRequests).toEqual([]);
  expect(opened.errors).toEqual([]);
});
