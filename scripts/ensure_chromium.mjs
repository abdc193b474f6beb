// Sets up what the tests need beside the dependencies: a Chromium that starts, and on Linux the Vulkan loader for Dawn in Node.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { findChromium, softwareDriver } from "./find_chromium.mjs";
import { aptInstall, isDebianRoot, runTool } from "./install.mjs";

const LOADER = "libvulkan.so.1";

/**
 * The path of a Chromium that starts: an installed one, else Playwright's download, else on Debian as root apt's.
 * @returns {string}
 * @throws {Error} one sentence that says what to do, when there is none and none can be installed
 */
export function ensureChromium() {
  const installed = findChromium();
  if (installed) return requireStart(installed);
  console.log("No Chromium found: downloading Playwright's ...");
  const downloaded = runTool("playwright/cli.js", ["install", "--no-shell", "chromium"]) === 0;
  if (downloaded && isDebianRoot()) runTool("playwright/cli.js", ["install-deps", "chromium"]);
  if (!downloaded && isDebianRoot()) aptInstall(["chromium", "libvulkan1"]);
  const chromium = findChromium();
  if (!chromium)
    throw new Error(
      "The tests need a Chromium and none could be installed: install Chromium, Chrome or Edge, or set ERRATA_CHROMIUM to one.",
    );
  return requireStart(chromium);
}

/**
 * What Dawn in Node needs in its environment to have an adapter without a graphics card: the Vulkan loader and, after the machine's
 * own drivers, the SwiftShader beside Chromium.
 * @param {string} chromium its path
 * @returns {Record<string, string>}
 * @throws {Error} one sentence, when there is no Vulkan loader
 */
export function ensureVulkan(chromium) {
  if (process.platform !== "linux") return {}; // Metal and Direct3D need no loader
  const folder = dirname(realpathSync(chromium));
  const driver = softwareDriver(chromium);
  const environment = driver ? { VK_ADD_DRIVER_FILES: driver } : {};
  if (hasVulkanLoader()) return environment;
  if (isDebianRoot()) aptInstall(["libvulkan1"]);
  if (hasVulkanLoader()) return environment;
  if (existsSync(join(folder, LOADER))) return { ...environment, LD_LIBRARY_PATH: folder }; // Chromium brings one
  throw new Error(`WebGPU in Node needs the Vulkan loader (${LOADER}): install it, on Debian and Ubuntu with apt-get install libvulkan1.`);
}

/** @param {string} chromium */
function requireStart(chromium) {
  if (process.platform !== "linux") return chromium; // only there it comes without its libraries; on Windows --version opens a window
  const { status, stderr, error } = spawnSync(chromium, ["--version"], { encoding: "utf8" });
  if (status === 0) return chromium;
  const said = error?.message ?? stderr.trim().split("\n").at(-1);
  throw new Error(
    `${chromium} does not start (${said}): install what it lacks, for Playwright's with npx playwright install-deps chromium.`,
  );
}

function hasVulkanLoader() {
  const roots = ["/lib", "/usr/lib", "/usr/local/lib", "/lib64", "/usr/lib64"].filter((root) => existsSync(root));
  return roots.some((root) => {
    if (existsSync(join(root, LOADER))) return true;
    return readdirSync(root).some((name) => name.endsWith("-linux-gnu") && existsSync(join(root, name, LOADER)));
  });
}
