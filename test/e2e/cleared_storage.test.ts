// A page that is asked to close in the middle of a run, and whose storage is cleared there by the browser: the real one's files and handles.
import { afterAll, beforeAll, expect, test } from "vitest";
import { openBuiltPage } from "../../scripts/page_in_chromium.mjs";
import { SETTINGS, shrinkRuns } from "../../scripts/small_run.mjs";

const LONG = { timeout: 180_000, polling: 200 };

let opened: Awaited<ReturnType<typeof openBuiltPage>>;
beforeAll(async () => {
  opened = await openBuiltPage("", { webgpu: true });
});
afterAll(() => opened?.close());

test("the page asks before it closes; its run ends although its storage is cleared, and its files are kept", {
  timeout: 400_000,
}, async () => {
  const { page, origin } = opened;
  await page.addInitScript(shrinkRuns, SETTINGS);
  await page.goto(`${origin}/?preset=smoke&autostart=1&seed=3`);
  await page.waitForFunction(() => (globalThis.errataEvents ?? []).some(({ type }) => type === "step"), undefined, LONG);

  await page.getByRole("heading").first().click(); // browsers ask only where the page was used
  const asked = page.waitForEvent("dialog");
  await page.close({ runBeforeUnload: true });
  const dialog = await asked;
  expect(dialog.type()).toBe("beforeunload");
  await dialog.dismiss();

  const session = await page.context().newCDPSession(page);
  await session.send("Storage.clearDataForOrigin", { origin, storageTypes: "all" });
  const over = () => ["finished", "failed"].includes(document.documentElement.dataset.state ?? "");
  await page.waitForFunction(over, undefined, LONG);
  expect(await page.locator("html").getAttribute("data-state")).toBe("finished");
  await page.getByText("storage was cleared while the run was under way").waitFor();
  await page.getByRole("navigation", { name: "Views" }).getByRole("button", { name: "Machine" }).click();
  await page.getByText(/ap2o-h2l, smoke, seed 3.*: finished, 4 steps/).waitFor();
});
