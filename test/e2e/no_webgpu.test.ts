// A browser without WebGPU: the page says so, and can still be used.
import { afterAll, beforeAll, expect, test } from "vitest";
import { openBuiltPage } from "../../scripts/page_in_chromium.mjs";

let opened: Awaited<ReturnType<typeof openBuiltPage>>;

beforeAll(async () => {
  opened = await openBuiltPage("?preset=smoke&autostart=1", { webgpu: false });
});

afterAll(() => opened?.close());

test("the page says in a sentence that there is no WebGPU adapter", async () => {
  await opened.page.waitForSelector('html[data-state="failed"]', { timeout: 30_000 });
  const alert = opened.page.getByRole("alert").filter({ hasText: "WebGPU" });
  expect(await alert.first().textContent()).toMatch(/No WebGPU adapter: .+\./);
});

test("the page is still there: its heading and its controls", async () => {
  expect(await opened.page.getByRole("heading", { level: 1 }).textContent()).toContain("Errata");
  expect(await opened.page.getByRole("button").count()).toBeGreaterThan(0);
  expect(opened.foreignRequests).toEqual([]);
});

test("over plain http, where there are no locks and no WebGPU either, the recorded run plays and the page says how to get on", async () => {
  const page = await opened.page.context().newPage();
  const plain = "http://school.test"; // to a browser any name but localhost is insecure
  await page.route(`${plain}/**`, (route) => route.continue({ url: route.request().url().replace(plain, opened.origin) }));
  await page.goto(`${plain}/`);
  expect(await page.evaluate(() => [isSecureContext, "locks" in navigator])).toEqual([false, false]);
  await page.waitForFunction(() => (globalThis.errataEvents ?? []).some(({ type }) => type === "answer"), undefined, { timeout: 30_000 });
  await page.getByRole("alert").filter({ hasText: "https or on localhost" }).waitFor({ timeout: 30_000 });
  await page.close();
});
