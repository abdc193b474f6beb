// npm test: installs what is missing, checks format, lint and types, runs every test, and ends with "N passed, M failed".
// npm test -- WORD runs the test files whose path contains WORD, and nothing else.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureChromium, ensureVulkan } from "./ensure_chromium.mjs";
import { ensureDependencies, fail, requireNode, runTool } from "./install.mjs";

/**
 * What of vitest's JSON report is read here.
 * @typedef {{ testResults: { name: string, status: string, assertionResults: { status: string }[] }[] }} Report
 */

/** @typedef {{ passed: number, failed: number }} Count */

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
 * A test that did not run (skipped, or its file or browser broke) counts as failed, and so does a run that failed without saying where.
 * @param {Report} report
 * @param {number} status vitest's exit status
 * @returns {Count}
 */
function countTests({ testResults }, status) {
  const tests = testResults.flatMap((file) => file.assertionResults);
  const passed = tests.filter((test) => test.status === "passed").length;
  const brokenFiles = testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.every((test) => test.status === "passed"),
  );
  const failed = tests.length - passed + brokenFiles.length;
  return { passed, failed: status !== 0 && failed === 0 ? 1 : failed };
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
