// Where a full Chromium is on this machine, and the switches that Errata starts it with.
import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const repository = dirname(dirname(fileURLToPath(import.meta.url)));
const home = homedir();

/** Names on PATH, in the order in which they are tried. */
const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge"];

/** Where the binary lies inside a folder of Playwright's, by its downloads for each system. */
const IN_PLAYWRIGHT_FOLDER = [
  "chrome-linux64/chrome",
  "chrome-linux/chrome",
  "chrome-win64/chrome.exe",
  "chrome-win/chrome.exe",
  ...["chrome-mac-arm64", "chrome-mac-x64", "chrome-mac"].flatMap((folder) => [
    `${folder}/Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing`,
    `${folder}/Chromium.app/Contents/MacOS/Chromium`,
  ]),
];

/**
 * The path of a full Chromium: the one named by ERRATA_CHROMIUM, Playwright's own, one on PATH, one in a usual place; null when
 * there is none. Playwright's headless shell does not count: it has no WebGPU.
 * @returns {string | null}
 * @throws {Error} when ERRATA_CHROMIUM names a file that is not there
 */
export function findChromium() {
  const named = process.env.ERRATA_CHROMIUM;
  if (named && !isFile(named)) throw new Error(`ERRATA_CHROMIUM names ${named}, which is not a file: correct or unset it.`);
  return named || [...playwrightPlaces(), ...pathPlaces(), ...usualPlaces()].find(isFile) || null;
}

/**
 * The switches for a headless Chromium of ours. With `webgpu` it gets a software adapter that is the same on every machine.
 * @param {{ webgpu: boolean }} options
 * @returns {string[]}
 */
export function chromiumFlags({ webgpu }) {
  const flags = ["--disable-background-networking", "--disable-component-update", "--no-default-browser-check", "--no-first-run"];
  if (webgpu) flags.push("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--disable-gpu-watchdog");
  if (process.getuid?.() === 0) flags.push("--no-sandbox"); // Chromium refuses to start as root otherwise
  return flags;
}

/** @param {string} path */
function isFile(path) {
  return existsSync(path) && statSync(path).isFile();
}

/** Every Chromium that some Playwright downloaded, the newest first. */
function playwrightPlaces() {
  const folder = playwrightFolder();
  if (!existsSync(folder)) return [];
  const revisions = readdirSync(folder)
    .filter((name) => /^chromium-\d+$/.test(name))
    .sort((a, b) => Number(b.split("-")[1]) - Number(a.split("-")[1]));
  return revisions.flatMap((revision) => IN_PLAYWRIGHT_FOLDER.map((path) => join(folder, revision, path)));
}

function playwrightFolder() {
  const chosen = process.env.PLAYWRIGHT_BROWSERS_PATH;
  if (chosen === "0") return join(repository, "node_modules", "playwright-core", ".local-browsers");
  if (chosen) return chosen;
  if (process.platform === "darwin") return join(home, "Library", "Caches", "ms-playwright");
  if (process.platform === "win32") return join(process.env.LOCALAPPDATA ?? join(home, "AppData", "Local"), "ms-playwright");
  return join(process.env.XDG_CACHE_HOME ?? join(home, ".cache"), "ms-playwright");
}

function pathPlaces() {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const ending = process.platform === "win32" ? ".exe" : "";
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name + ending)));
}

function usualPlaces() {
  if (process.platform === "darwin") return macPlaces();
  if (process.platform === "win32") return windowsPlaces();
  return [
    "/usr/lib/chromium/chromium",
    "/usr/lib/chromium-browser/chromium-browser",
    "/snap/bin/chromium",
    "/opt/google/chrome/chrome",
    "/opt/microsoft/msedge/msedge",
  ];
}

function macPlaces() {
  const programs = ["Chromium", "Google Chrome", "Microsoft Edge"];
  const folders = ["/Applications", join(home, "Applications")];
  return programs.flatMap((program) => folders.map((folder) => join(folder, `${program}.app`, "Contents", "MacOS", program)));
}

function windowsPlaces() {
  const { PROGRAMFILES, LOCALAPPDATA } = process.env;
  const folders = [PROGRAMFILES, process.env["PROGRAMFILES(X86)"], LOCALAPPDATA].filter((folder) => folder !== undefined);
  const programs = ["Chromium/Application/chrome.exe", "Google/Chrome/Application/chrome.exe", "Microsoft/Edge/Application/msedge.exe"];
  return programs.flatMap((program) => folders.map((folder) => join(folder, program)));
}

const CHROMIUM_FOLDERS = ["/usr/lib/chromium", "/usr/lib/chromium-browser", "/opt/google/chrome"];

/**
 * The driver file of the SwiftShader beside a Chromium: a GPU in software for Dawn in Node, or null where there is none (macOS, Windows).
 * @param {string} chromium its path
 * @returns {string | null}
 */
export function softwareDriver(chromium) {
  const folders = [dirname(realpathSync(chromium)), ...CHROMIUM_FOLDERS]; // what is on PATH is often a script that starts the program
  return folders.map((folder) => join(folder, "vk_swiftshader_icd.json")).find((file) => existsSync(file)) ?? null;
}
