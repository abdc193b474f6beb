// npm run screenshot: pictures every view of the built page in both themes, with a recorded run in it, into docs/screenshots/.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ensureDependencies, fail, repository, requireNode } from "./install.mjs";

const VIEWPORT = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const COLOURS_SETTLE_MS = 1000; // they change gradually
const MODEL_WITHIN_MS = 120_000;

/** Name of the picture, query of the address, share of the recorded run that has been played, and what is done before the picture. */
const PICTURES = [
  { name: "page", query: "", at: 0.72 },
  { name: "start", query: "", at: 0.12 },
  { name: "curves", query: "?view=curves", at: 1 },
  { name: "compare", query: "?view=compare&compare=h2l,h2l-noreplay", at: 1 },
  { name: "answers", query: "?view=answers", at: 1, prepare: askTheModel },
  { name: "machine", query: "?view=machine", at: 1, prepare: measure },
  { name: "lesson", query: "?lesson=first-run", at: null },
];

/** @param {import("playwright").Page} page */
async function askTheModel(page) {
  await page.getByRole("button", { name: "Answer", exact: true }).click();
  await page
    .getByRole("region", { name: "Ask the model" })
    .getByRole("region", { name: "Model alone" })
    .waitFor({ timeout: MODEL_WITHIN_MS });
  await page.getByRole("button", { name: "How likely is it?" }).click();
  await page.getByText("Whole answer:").waitFor({ timeout: MODEL_WITHIN_MS });
}

/** @param {import("playwright").Page} page */
async function measure(page) {
  await page.getByRole("button", { name: "Measure its speed" }).click();
  await page.getByRole("region", { name: "Speed of the GPU" }).waitFor({ timeout: MODEL_WITHIN_MS });
}

/** Winds the recorded run to a moment and holds it there. @param {import("playwright").Page} page @param {number} share */
async function wind(page, share) {
  await page.getByRole("slider", { name: "Moment of the recorded run" }).evaluate((input, at) => {
    if (!(input instanceof HTMLInputElement)) throw new Error("The seek bar is no input.");
    input.value = String(Number(input.max) * at);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }, share);
  const hold = page.getByRole("button", { name: "Hold" });
  if (await hold.count()) await hold.click();
}

/** @param {import("playwright").Page} page @param {string} folder @param {string} name */
async function picture(page, folder, name) {
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.waitForTimeout(COLOURS_SETTLE_MS);
    const file = join(folder, colorScheme === "dark" ? `${name}_dark.png` : `${name}.png`);
    await page.screenshot({ path: file });
    console.log(file);
  }
}

async function main() {
  try {
    requireNode();
    ensureDependencies();
    const { openBuiltPage } = await import("./page_in_chromium.mjs"); // needs the dependencies
    const folder = join(repository, "docs", "screenshots");
    mkdirSync(folder, { recursive: true });
    const { page, origin, close } = await openBuiltPage("", { webgpu: true, viewport: VIEWPORT });
    try {
      for (const { name, query, at, prepare } of PICTURES) {
        await page.goto(`${origin}/${query}`);
        await page.waitForSelector('html[data-state="ready"]', { timeout: MODEL_WITHIN_MS });
        if (at !== null) await wind(page, at);
        await page.waitForTimeout(COLOURS_SETTLE_MS);
        await prepare?.(page);
        await picture(page, folder, name);
        if (name !== "page") continue;
        await page.setViewportSize(PHONE);
        await picture(page, folder, "phone");
        await page.setViewportSize(VIEWPORT);
      }
    } finally {
      await close();
    }
  } catch (error) {
    fail(error, 1);
  }
}

await main();
