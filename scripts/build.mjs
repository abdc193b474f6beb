// Builds the page into dist/ when its sources have changed since.
import { readdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { repository, runTool } from "./install.mjs";

const SOURCES = ["index.html", "package-lock.json", "public", "scripts", "shaders", "src", "vite.config.ts"];

export const builtPage = join(repository, "dist");

/**
 * Runs `vite build` unless dist/ is newer than every source.
 * @returns {string} the folder of the built page
 * @throws {Error} one sentence, when the build fails
 */
export function ensureBuilt() {
  const index = join(builtPage, "index.html");
  const built = statSync(index, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (built > Math.max(...SOURCES.map((path) => newest(join(repository, path))))) return builtPage;
  console.log("Building the page (vite build) ...");
  const begin = new Date();
  if (runTool("vite/bin/vite.js", ["build", "--logLevel", "warn"]) !== 0) throw new Error("vite build failed: see what it says above.");
  utimesSync(index, begin, begin); // a source that changed during the build counts as newer
  return builtPage;
}

/**
 * When the file, or the folder and anything in it, was last changed; a deleted file changes its folder.
 * @param {string} path
 * @returns {number} milliseconds
 */
function newest(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}
