// A tab that is closed in the middle of a run: the next one offers to go on, tells again what was answered, and goes on from there. So does
// one that watched it.
import { AxeBuilder } from "@axe-core/playwright";
import type { BrowserContext, Page } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openBuiltPage } from "../../scripts/page_in_chromium.mjs";
import type { Answer } from "../../src/records.ts";

const LONG = { timeout: 180_000, polling: 200 };

let opened: Awaited<ReturnType<typeof openBuiltPage>>;
let context: BrowserContext;

beforeAll(async () => {
  opened = await openBuiltPage("", { webgpu: true });
  const browser = opened.page.context().browser();
  if (!browser) throw new Error("the page has no browser of its own");
  context = await browser.newContext(); // one whose storage outlives its pages
  await opened.page.close();
});

afterAll(() => opened?.close());

async function openTab(query: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${opened.origin}/${query}`);
  return page;
}

const answersOf = (page: Page): Promise<Answer[]> =>
  page.evaluate(() => (globalThis.errataEvents ?? []).flatMap((event) => (event.type === "answer" ? [event.answer] : [])));

const moreAnswers = (n: number) => (globalThis.errataEvents ?? []).filter((event) => event.type === "answer").length > n;

test("a closed tab loses nothing: the next one goes on where it was", { timeout: 400_000 }, async () => {
  const first = await openTab("?preset=smoke&autostart=1&seed=1");
  const answered = () => (globalThis.errataEvents ?? []).some((event) => event.type === "answer");
  await first.waitForFunction(answered, undefined, LONG);
  const other = await openTab("?preset=smoke&autostart=1&seed=2");
  await other.getByText("Another tab of this browser is training").waitFor(LONG);
  await other.waitForFunction(answered, undefined, LONG);
  const seen = await answersOf(other);
  await other.waitForFunction(moreAnswers, seen.length, LONG);
  expect((await answersOf(first)).slice(0, seen.length)).toEqual(seen);
  const button = other.getByRole("button", { name: "Watching", exact: true });
  await button.waitFor(LONG);
  expect(await button.isDisabled()).toBe(true);
  const { violations } = await new AxeBuilder({ page: other }).analyze();
  expect(violations.map(({ id }) => id)).toEqual([]);
  await other.close();
  const before = await answersOf(first);
  await first.close({ runBeforeUnload: false });

  const second = await openTab("?preset=smoke&seed=1");
  await second.getByRole("button", { name: "Go on with it" }).click(LONG);
  await second.waitForFunction(moreAnswers, before.length, LONG);
  expect((await answersOf(second)).slice(0, before.length)).toEqual(before);

  const watcher = await openTab("?preset=smoke&seed=1");
  await watcher.waitForFunction(moreAnswers, before.length, LONG);
  await second.close({ runBeforeUnload: false });
  await watcher.getByText("The tab that trained was closed, or broke off.").waitFor(LONG);
  const shown = await answersOf(watcher);
  await watcher.getByRole("button", { name: "Go on with it" }).click(LONG);
  await watcher.waitForFunction(moreAnswers, shown.length, LONG);
  const taken = (await answersOf(watcher)).map(({ task_id, sample_index }) => `${task_id} ${sample_index}`);
  expect(taken.slice(0, before.length)).toEqual(before.map(({ task_id, sample_index }) => `${task_id} ${sample_index}`));
  await watcher.close({ runBeforeUnload: false });

  const third = await openTab("?preset=smoke&seed=1");
  await third.getByRole("button", { name: "Discard it" }).click(LONG);
  await third.getByText("An unfinished run").waitFor({ state: "detached" });
  await third.close();
});
