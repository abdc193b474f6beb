// onnxruntime-web, which has WebGPU in browsers alone: `bench gemm --peer onnxruntime-web` measures both in a headless Chromium.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright";
import { createServer } from "vite";
import { chromiumFlags, findChromium } from "../../scripts/find_chromium.mjs";
import type { GemmShape } from "../bench/gemm.ts";
import type { PageBench } from "../bench/ort_page.ts";
import { InputError } from "../input_error.ts";
import { ROOT } from "./paths.ts";
import type { Progress } from "./progress.ts";

/** Not among the dependencies: it has 138 MB, and nothing else needs it. */
const PACKAGE = "onnxruntime-web@1.30.0";

/** The products in Chromium, against onnxruntime-web there; adapter and roofline are Chromium's, too. */
export async function benchInChromium(shapes: readonly GemmShape[], progress: Progress): Promise<PageBench> {
  if (!existsSync(join(ROOT, "node_modules", "onnxruntime-web")))
    throw new InputError(`--peer onnxruntime-web needs that package: npm install --no-save ${PACKAGE}`);
  const executablePath = findChromium();
  if (!executablePath)
    throw new InputError("--peer onnxruntime-web needs a Chromium and none was found: install one, or name it in ERRATA_CHROMIUM.");
  const server = await createServer({
    root: ROOT,
    configFile: false,
    logLevel: "silent",
    server: { host: "localhost", port: 0, hmr: false },
    optimizeDeps: { exclude: ["onnxruntime-web"], noDiscovery: true },
  });
  await server.listen();
  const browser = await chromium.launch({ executablePath, args: chromiumFlags({ webgpu: true }) });
  try {
    const page = await browser.newPage();
    await page.exposeFunction("say", (what: string) => progress.show(what));
    await page.goto(`${server.resolvedUrls?.local[0]}test/e2e/blank.html`);
    const asked = JSON.stringify(shapes); // as text: a function would reach the page with this side's imports in it
    return await page.evaluate<PageBench>(`import("/src/bench/ort_page.ts").then(({ benchAgainstOrt }) => benchAgainstOrt(${asked}, say))`);
  } finally {
    await browser.close();
    await server.close();
  }
}
