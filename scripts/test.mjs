// npm test: installs what is missing, checks format, lint and types, runs every test, and ends with "N passed, M failed".
// npm test -- WORD runs the test files whose path contains WORD, and nothing else.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { countTests } from "./count_tests.mjs";
import { ensureChromium, ensureVulkan } from "./ensure_chromium.mjs";
import { ensurePython } from "./ensure_python.mjs";
import { ensureDependencies, fail, requireNode, runTool } from "./install.mjs";

/** @typedef {import("./count_tests.mjs").Count} Count */

const INTEROP_TESTS = "test/interop/interop.test.ts";

/**
 * One check that passes or fails as a whole.
 * @param {string} name
 * @param {string} program inside node_modules
 * @param {string[]} args
 * @returns {Count}
 */
function check(name, program, args) {
  console.log(`\n${name}`);
  return runTool(program, args) === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

/**
 * @param {string[]} words
 * @returns {Count}
 */
function runVitest(words) {
  const chromium = ensureChromium();
  const interop = prepareInterop(words);
  const env = { ...process.env, ...ensureVulkan(chromium), ...interop.env, ERRATA_CHROMIUM: chromium };
  const folder = mkdtempSync(join(tmpdir(), "errata-test-"));
  const report = join(folder, "report.json");
  try {
    console.log("\nTests");
    const args = ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...interop.args, ...words];
    const status = runTool("vitest/vitest.mjs", args, env);
    const count = existsSync(report) ? countTests(JSON.parse(readFileSync(report, "utf8")), status) : { passed: 0, failed: 1 };
    return { ...count, failed: count.failed + interop.failed };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * The Python of the interop tests, where the words name them. Without a Python they are left out, which counts as a failure where
 * ERRATA_INTEROP says that they are required (in CI); packages that cannot be installed are a failure everywhere.
 * @param {string[]} words
 * @returns {{ env: Record<string, string>, args: string[], failed: number }}
 */
function prepareInterop(words) {
  const nothing = { env: {}, args: [], failed: 0 };
  if (words.length > 0 && !words.some((word) => INTEROP_TESTS.includes(word))) return nothing;
  const leftOut = { env: {}, args: ["--exclude", INTEROP_TESTS] };
  try {
    const python = ensurePython();
    if (python) return { ...nothing, env: { ERRATA_PYTHON: python } };
    console.log(`\n${INTEROP_TESTS} is skipped: there is no Python 3.10 or newer with venv here to run PyTorch, PEFT and TRL in.`);
    return { ...leftOut, failed: process.env.ERRATA_INTEROP === "required" ? 1 : 0 };
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return { ...leftOut, failed: 1 };
  }
}

/**
 * @param {string[]} words
 * @returns {Count}
 */
function runAll(words) {
  const checks = [];
  if (words.length === 0) {
    checks.push(check("Format and lint (biome check)", "@biomejs/biome/bin/biome", ["check", "--error-on-warnings"]));
    checks.push(check("Types (tsc)", "typescript/bin/tsc", ["--noEmit"]));
  }
  checks.push(runVitest(words));
  return { passed: sum(checks.map((count) => count.passed)), failed: sum(checks.map((count) => count.failed)) };
}

/** @param {number[]} numbers */
function sum(numbers) {
  return numbers.reduce((total, n) => total + n, 0);
}

function main() {
  const words = process.argv.slice(2);
  const flag = words.find((word) => word.startsWith("-"));
  if (flag) return fail(`npm test takes words that test files' paths contain, not ${flag}.`, 2);
  let count = { passed: 0, failed: 1 };
  try {
    requireNode();
    ensureDependencies();
    count = runAll(words);
  } catch (error) {
    fail(error, 1);
  }
  console.log(`${count.passed} passed, ${count.failed} failed`);
  process.exitCode = count.failed === 0 ? 0 : 1;
}

main();
