// The page as a visitor without WebGPU finds it: the recorded run, every view, the lesson, the keyboard, files that are no run. axe looks at
// every view in both themes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openBuiltPage } from "../../scripts/page_in_chromium.mjs";
import { VIEWS } from "../../src/ui/views.ts";
import { drop } from "./drop.ts";

const MOVING_WITHIN_MS = 20_000; // 2 s alone; other tests may run beside this one
const recordedZip = readFileSync(join(import.meta.dirname, "../../public/recorded/ap2o-l2h.zip"));

let opened: Awaited<ReturnType<typeof openBuiltPage>>;
let page: Page;

beforeAll(async () => {
  opened = await openBuiltPage("", { webgpu: false, viewport: { width: 1280, height: 720 } });
  page = opened.page;
  page.setDefaultTimeout(15_000);
});

afterAll(() => opened?.close());

const count = (type: string) => page.evaluate((wanted) => window.errataEvents.filter((event) => event.type === wanted).length, type);
const until = (condition: () => boolean) => page.waitForFunction(condition, undefined, { timeout: MOVING_WITHIN_MS });
const go = (name: string) => page.getByRole("navigation", { name: "Views" }).getByRole("button", { name }).click();
const seek = (share: number) =>
  page.getByRole("slider", { name: "Moment of the recorded run" }).evaluate((input, at) => {
    if (!(input instanceof HTMLInputElement)) throw new Error("The seek bar is no input.");
    input.value = String(Number(input.max) * at);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }, share);

/** What axe finds on the page, or in a part of it. */
async function violations(part = "html"): Promise<string[]> {
  const { violations: found } = await new AxeBuilder({ page }).include(part).analyze();
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`);
}

test("the recorded run plays by itself: strip, answers, then curves and notebook", async () => {
  await until(() => window.errataEvents.some((event) => event.type === "answer"));
  await page.getByRole("region", { name: "Recorded run" }).waitFor();
  await seek(0.5);
  await until(() => window.errataEvents.some((event) => event.type === "step"));
  await page.locator('[data-station="correction"][aria-current="step"], [data-station="quiz"][aria-current="step"]').waitFor();
  expect(await page.locator("figure.chart canvas").count()).toBe(4);
  await page.getByRole("article", { name: /Problem Demo/ }).waitFor();
  expect(await page.getByRole("radiogroup", { name: "Failed answers of this problem" }).getByRole("radio").count()).toBeGreaterThan(1);
});

test("it is held, wound back and stepped", async () => {
  await page.getByRole("button", { name: "Hold" }).click();
  const held = await count("step");
  await page.waitForTimeout(500);
  expect(await count("step")).toBe(held);
  await page.getByRole("button", { name: "Step" }).click();
  await page.waitForFunction((steps) => window.errataEvents.filter(({ type }) => type === "step").length === steps, held + 1);
  await seek(0.1);
  expect(await count("step")).toBe(0);
});

test.each(VIEWS.map(({ label }) => label))("%s fits one screen, and axe finds nothing in either theme", async (label) => {
  await seek(0.8);
  await go(label);
  await page.waitForTimeout(label === "Compare" ? 1500 : 300); // two recorded runs are fetched there
  const size = await page.evaluate(() => [document.documentElement.scrollHeight, document.documentElement.scrollWidth]);
  expect(size).toEqual([720, 1280]);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.waitForTimeout(100);
    expect(await violations(), `${label}, ${colorScheme}`).toEqual([]);
  }
  await page.emulateMedia({ colorScheme: "light" });
});

test("a chart opens large, with its data as a table", async () => {
  await seek(0.8);
  await go("Curves");
  await page.getByRole("button", { name: "Loss: enlarge, table, files" }).click();
  const dialog = page.getByRole("dialog", { name: "Loss" });
  await dialog.getByRole("row").first().waitFor();
  expect(await dialog.getByRole("row").count()).toBeGreaterThan(10);
  expect(await violations()).toEqual([]);
  const download = page.waitForEvent("download");
  await dialog.getByRole("button", { name: "SVG" }).click();
  const svg = readFileSync((await (await download).path()) ?? "", "utf8");
  expect(svg).toContain("<svg");
  await page.keyboard.press("Escape");
  expect(svg).toMatch(/<path [^>]*stroke="rgb\(\d+, \d+, \d+\)"/); // as any program that reads SVG knows them
  expect(svg).not.toMatch(/lab\(|oklch\(|var\(/);
});

test("axe finds nothing in dialogs, menus and what is folded, in either theme", async () => {
  await seek(0.9);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const none = async (what: string) => expect(await violations(), `${what}, ${colorScheme}`).toEqual([]);
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "What am I looking at?" }).waitFor();
    await none("help");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Share" }).click();
    await none("share");
    await page.keyboard.press("Escape");
    await go("Curves");
    const charts = await page.getByRole("button", { name: /: enlarge, table, files$/ }).all();
    expect(charts.length).toBeGreaterThan(6);
    for (const chart of [charts[0], charts[4], charts.at(-1)]) {
      await chart?.click(); // few lines, many, and dots
      await page.getByRole("dialog").getByRole("table").waitFor();
      const name = `${await page.getByRole("dialog").getByRole("heading").textContent()}, ${colorScheme}`;
      expect(await violations("dialog[open]"), name).toEqual([]);
      await page.keyboard.press("Escape");
    }
    await go("Run");
    for (const summary of await page.locator("summary:visible").all()) await summary.click();
    await none("why this pair");
    await go("Machine");
    for (const summary of await page.locator("summary:visible").all()) await summary.click();
    await none("machine");
  }
  await page.emulateMedia({ colorScheme: "light" });
});

/** Tabs on until what has the focus is called so. */
async function tabTo(name: string | RegExp): Promise<void> {
  for (let presses = 0; presses < 80; presses++) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate(() => {
      const element = document.activeElement;
      return element?.getAttribute("aria-label") ?? element?.textContent?.trim() ?? "";
    });
    if (typeof name === "string" ? focused === name : name.test(focused)) return;
  }
  throw new Error(`80 presses of Tab did not reach ${name}`);
}

const focusedName = () =>
  page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent?.trim());

test("the keyboard alone opens dialogs and menus, stays inside, and is back where it was when they close", async () => {
  await go("Curves");
  await page.evaluate(() => document.activeElement instanceof HTMLElement && document.activeElement.blur());
  await tabTo("Loss: enlarge, table, files");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Loss" });
  await dialog.waitFor();
  for (let presses = 0; presses < 12; presses++) {
    await page.keyboard.press("Tab");
    const inside = await page.evaluate(
      () => document.activeElement === document.body || document.activeElement?.closest("dialog") !== null,
    );
    expect(inside).toBe(true); // or in the browser's own bars, for which the body stands
  }
  await tabTo("Loss as a table");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  expect(await focusedName()).toBe("Loss: enlarge, table, files");
  await page.evaluate(() => document.activeElement instanceof HTMLElement && document.activeElement.blur());
  await tabTo("Share");
  await page.keyboard.press("Enter");
  await tabTo(/^Copy link/);
  await page.keyboard.press("Escape");
  expect(await focusedName()).toBe("Share");
  await tabTo("Help");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "What am I looking at?" }).waitFor();
  await tabTo("Close");
  await page.keyboard.press("Enter");
  expect(await focusedName()).toBe("Help");
});

test("view and compared runs are in the address, and a reload keeps them", async () => {
  await go("Compare");
  await page.getByRole("checkbox", { name: /H2L without replay/ }).check();
  await page.getByRole("columnheader", { name: "C", exact: true }).first().waitFor();
  expect(new URL(page.url()).search).toContain("compare=h2l%2Cl2h%2Ch2l-noreplay");
  await page.reload();
  await page.getByRole("rowheader", { name: /C · H2L without replay/ }).waitFor();
});

test("choosing another curve draws another", async () => {
  const picture = () =>
    page
      .locator(".chosen-chart canvas")
      .first()
      .evaluate((canvas) => canvas instanceof HTMLCanvasElement && canvas.toDataURL());
  await page.waitForTimeout(500);
  const before = await picture();
  await page.getByRole("combobox", { name: "Quiz errors of type" }).selectOption("NameError");
  await page.waitForTimeout(500);
  expect(await picture()).not.toBe(before);
});

test("a problem of the comparison opens its answers; the list draws only what is in sight", async () => {
  await page
    .getByRole("button", { name: /^Demo\// })
    .first()
    .click();
  await page.getByRole("region", { name: "The open answer" }).waitFor();
  await page.getByRole("searchbox").fill("");
  await seek(1);
  const list = page.getByRole("listbox", { name: "Answers" });
  await list.getByRole("option").first().waitFor();
  expect(await list.getByRole("option").count()).toBeLessThan(60);
  await list.press("End");
  expect(Number(await list.getByRole("option", { selected: true }).getAttribute("aria-posinset"))).toBeGreaterThan(500);
});

test("a run's zip that is dropped is played; files that are none are refused in a sentence", async () => {
  await drop(page, { name: "sent.zip", bytes: recordedZip });
  await page.getByRole("region", { name: "Recorded run" }).getByText("Rare errors first (L2H)").waitFor();
  await drop(page, { name: "broken.zip", bytes: new TextEncoder().encode("no zip") });
  await page.getByRole("alert").filter({ hasText: "broken.zip: expected a zip of a run" }).waitFor();
  await drop(page, { name: "photo.png", bytes: new Uint8Array(8) });
  await page.getByRole("alert").filter({ hasText: "photo.png: expected a run's zip" }).waitFor();
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByRole("region", { name: "Recorded run" }).waitFor();
});

test("the keyboard alone reaches views, recording, error types and help", async () => {
  await page.keyboard.press("1");
  await page.getByRole("heading", { name: "Error notebook" }).waitFor();
  await page.locator("body").press("Space");
  const playing = await page.getByRole("button", { name: "Hold" }).count();
  await page.locator("body").press("Space");
  expect(await page.getByRole("button", { name: "Hold" }).count()).toBe(1 - playing);
  const reached = new Set<string>();
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press("Tab");
    reached.add(await page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent ?? ""));
  }
  const names = [...reached].join("\n");
  for (const name of ["Curves", "Share", "Moment of the recorded run", "Problems with such errors", "Reset"]) expect(names).toContain(name);
  expect(names).toMatch(/WrongResult/);
  await page.evaluate(() => document.activeElement instanceof HTMLElement && document.activeElement.blur());
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "What am I looking at?" }).waitFor();
  expect(await violations()).toEqual([]);
  await page.keyboard.press("Escape");
});

test("an address with nonsense values is told in place, and the page goes on", async () => {
  await page.goto(`${opened.origin}/?view=moon&seed=-3&method=magic`);
  await until(() => window.errataEvents.some((event) => event.type === "answer"));
  expect(await page.getByRole("alert").filter({ hasText: "view=moon" }).textContent()).toContain("view=moon");
});

test("the lesson goes through its steps with the recorded runs, hides what it does not need, and ends on the page", async () => {
  await page.goto(`${opened.origin}/?lesson=first-run`);
  await page.getByRole("heading", { name: "What it gets wrong" }).waitFor();
  await until(() => window.errataEvents.some((event) => event.type === "notebook"));
  expect(await page.getByRole("navigation", { name: "Views" }).count()).toBe(0);
  expect(await violations()).toEqual([]);
  const next = page.getByRole("button", { name: "Next" });
  await next.click();
  expect(await next.isDisabled()).toBe(true);
  await page.getByRole("group", { name: "Which falls first?" }).getByRole("button", { name: "IndexError" }).click();
  await next.click();
  await page.getByRole("region", { name: "Recorded run" }).waitFor();
  await next.click();
  await page.getByText("You said IndexError: 36 → 20.").waitFor();
  await next.click();
  await page.getByRole("rowheader", { name: /B · Rare errors first/ }).waitFor();
  await next.click();
  await page.getByRole("rowheader", { name: /B · H2L without replay/ }).waitFor();
  expect(await violations()).toEqual([]);
  await next.click();
  await page.getByRole("button", { name: "Leave the lesson" }).last().click();
  await page.getByRole("navigation", { name: "Views" }).waitFor();
  expect(new URL(page.url()).search).not.toContain("lesson");
});

test("it is usable from 360 px on, without sideways scrolling", async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  for (const { label } of VIEWS) {
    await go(label);
    await page.waitForTimeout(200);
    expect(await page.evaluate(() => document.documentElement.scrollWidth), label).toBe(360);
  }
  await page.setViewportSize({ width: 1280, height: 720 });
});

test("nothing is asked of another origin, and text becomes no markup: the policy demands Trusted Types", async () => {
  expect(opened.foreignRequests).toEqual([]);
  const refused = await page.evaluate(() => {
    try {
      document.createElement("div").innerHTML = "<b>x</b>";
      return false;
    } catch {
      return true;
    }
  });
  expect(refused).toBe(true);
  expect(opened.errors.filter((error) => !error.includes("TrustedHTML"))).toEqual([]);
});
