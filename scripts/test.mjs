// npm test: installs what is missing, checks format, lint and types, runs every test, and ends with "N passed, M failed".
// npm test -- WORD runs the test files whose path contains WORD, and nothing else.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { countTests } from "./count_tests.mjs";
import { ensureChromium, ensureVulkan } from "./ensure_chromium.mjs";
import { ensureDependencies, fail, requireNode, runTool } from "./install.mjs";

/** @typedef {import("./count_tests.mjs").Count} Count */

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
  const env = { ...process.env, ...ensureVulkan(chromium), ERRATA_CHROMIUM: chromium };
  const folder = mkdtempSync(join(tmpdir(), "errata-test-"));
  const report = join(folder, "report.json");
  try {
    console.log("\nTests");
    const args = ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...words];
    const status = runTool("vitest/vitest.mjs", args, env);
    return existsSync(report) ? countTests(JSON.parse(readFileSync(report, "utf8")), status) : { passed: 0, failed: 1 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
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
