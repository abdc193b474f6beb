// The built page, served and opened in a headless Chromium: for the end-to-end tests and the screenshot.
import { chromium } from "playwright";
import { ensureBuilt } from "./build.mjs";
import { chromiumFlags, findChromium } from "./find_chromium.mjs";
import { serveFolder } from "./serve.mjs";

/**
 * Opens `path` of the built page.
 * @param {string} path with its query, "?preset=smoke" for example
 * @param {{ webgpu: boolean, colorScheme?: "light" | "dark", viewport?: { width: number, height: number } }} options
 * @returns {Promise<{ page: import("playwright").Page, origin: string, foreignRequests: string[], errors: string[], close: () => Promise<void> }>}
 *   `foreignRequests`: addresses of other origins that anything in the browser asked for; `errors`: what the page threw or complained of.
 *   Both grow.
 */
export async function openBuiltPage(path, { webgpu, ...context }) {
  const executablePath = findChromium();
  if (!executablePath) throw new Error("No Chromium found: npm test installs one, or set ERRATA_CHROMIUM.");
  const server = await serveFolder(ensureBuilt(), 0);
  if (!server) throw new Error("No free port on localhost.");
  const browser = await chromium.launch({
    executablePath,
    args: [...chromiumFlags({ webgpu }), ...(webgpu ? [] : ["--disable-blink-features=WebGPU"])],
  });
  const page = await (await browser.newContext(context)).newPage();
  const { origin } = new URL(server.url);
  /** @type {string[]} */
  const foreignRequests = [];
  /** @type {string[]} */
  const errors = [];
  page.context().on("request", (request) => {
    const { protocol } = new URL(request.url());
    if (protocol !== "blob:" && protocol !== "data:" && !request.url().startsWith(`${origin}/`)) foreignRequests.push(request.url());
  });
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await page.goto(server.url + path);
  const close = async () => {
    await browser.close();
    server.close();
  };
  return { page, origin, foreignRequests, errors, close };
}
