// Sets up what is missing before a command runs: the right Node and the dependencies. Runs on bare Node.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const repository = dirname(dirname(fileURLToPath(import.meta.url)));

const OLDEST_NODE = [20, 19];

/** @typedef {{ version?: string, integrity?: string, optional?: boolean }} LockedPackage */

/**
 * Runs `npm ci` unless the packages of package-lock.json are in node_modules already.
 * @throws {Error} one sentence, when the packages cannot be fetched
 */
export function ensureDependencies() {
  if (isInstalled()) return;
  console.log("Installing dependencies (npm ci) ...");
  const status = runNpm(["ci", "--include=dev", "--no-audit", "--no-fund"]);
  if (status !== 0)
    throw new Error("npm ci could not install the dependencies: check the network and what npm says above, then try again.");
}

/**
 * Runs a JavaScript file of a dependency with this Node, on this terminal.
 * @param {string} path inside node_modules
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {number} its exit status; 1 when a signal ended it
 */
export function runTool(path, args, env = process.env) {
  return (
    spawnSync(process.execPath, [join(repository, "node_modules", path), ...args], { cwd: repository, env, stdio: "inherit" }).status ?? 1
  );
}

/**
 * Ends the process as every command does for an error: one sentence, and the status.
 * @param {unknown} error
 * @param {number} status
 */
export function fail(error, status) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = status;
}

/** @throws {Error} one sentence, when this Node is too old */
export function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new Error(`Errata needs Node ${OLDEST_NODE.join(".")} or newer, and this is ${process.versions.node}: install a newer one.`);
}

/** Whether apt-get may install what is missing. */
export function isDebianRoot() {
  return process.getuid?.() === 0 && existsSync("/etc/debian_version");
}

/** @param {string[]} packages */
export function aptInstall(packages) {
  console.log(`Installing ${packages.join(" and ")} (apt-get) ...`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  spawnSync("apt-get", ["update", "-qq"], { env, stdio: "inherit" });
  spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], { env, stdio: "inherit" });
}

/** npm leaves a lock file in node_modules when it has finished; what it lists is what is there. */
function isInstalled() {
  const installedLock = join(repository, "node_modules", ".package-lock.json");
  if (!existsSync(installedLock)) return false;
  const installed = packagesOf(installedLock);
  const wanted = Object.entries(packagesOf(join(repository, "package-lock.json"))).filter(([path]) => path !== "");
  return wanted.every(([path, { version, integrity, optional }]) => {
    const there = installed[path];
    if (!there) return optional === true; // made for another system
    return there.version === version && there.integrity === integrity;
  });
}

/**
 * @param {string} lockFile
 * @returns {Record<string, LockedPackage>}
 */
function packagesOf(lockFile) {
  return JSON.parse(readFileSync(lockFile, "utf8")).packages ?? {};
}

/** @param {string[]} args */
function runNpm(args) {
  const npm = npmProgram();
  // Without npm's own file only a shell finds npm (on Windows it is a .cmd); the arguments are ours and need no quoting.
  const child = npm
    ? spawnSync(process.execPath, [npm, ...args], { cwd: repository, stdio: "inherit" })
    : spawnSync(`npm ${args.join(" ")}`, { cwd: repository, stdio: "inherit", shell: true });
  return child.status ?? 1;
}

/** npm's JavaScript file: the one that runs this script, else the one that came with this Node. */
function npmProgram() {
  const running = process.env.npm_execpath;
  const node = dirname(process.execPath);
  const places = [join(node, "node_modules"), join(node, "..", "lib", "node_modules")].map((folder) =>
    join(folder, "npm", "bin", "npm-cli.js"),
  );
  if (running?.endsWith("npm-cli.js")) places.unshift(running);
  return places.find((file) => existsSync(file)) ?? null;
}
