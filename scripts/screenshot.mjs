// npm run screenshot: trains the embedded model in a headless Chromium and writes docs/screenshots/page.png and page_dark.png;
// prints how long the first trained step and the whole run took.
// npm run screenshot -- demo does it with another preset than smoke.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ensureDependencies, fail, repository, requireNode } from "./install.mjs";

const preset = process.argv[2] ?? "smoke";
const VIEWPORT = { width: 1280, height: 1000 };
const FINISHED_WITHIN_MS = 1_800_000;
const COLOURS_SETTLE_MS = 1000; // they change gradually

async function main() {
  try {
    requireNode();
    ensureDependencies();
    const { openBuiltPage } = await import("./page_in_chromium.mjs"); // needs the dependencies
    const folder = join(repository, "docs", "screenshots");
    mkdirSync(folder, { recursive: true });
    const { page, close } = await openBuiltPage(`?preset=${preset}&autostart=1&seed=1`, { webgpu: true, viewport: VIEWPORT });
    const opened = Date.now(); // the run starts by itself once the model is loaded
    const secondsSince = () => ((Date.now() - opened) / 1000).toFixed(0);
    try {
      await page.waitForFunction(() => window.errataEvents?.some(({ type }) => type === "step"), null, { timeout: FINISHED_WITHIN_MS });
      console.log(`first trained step after ${secondsSince()} s`);
      await page.waitForSelector('html[data-state="finished"]', { timeout: FINISHED_WITHIN_MS });
      console.log(`finished after ${secondsSince()} s`);
      for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
        await page.emulateMedia({ colorScheme });
        await page.waitForTimeout(COLOURS_SETTLE_MS);
        const file = join(folder, colorScheme === "dark" ? "page_dark.png" : "page.png");
        await page.screenshot({ path: file });
        console.log(file);
      }
    } finally {
      await close();
    }
  } catch (error) {
    fail(error, 1);
  }
}

await main();
