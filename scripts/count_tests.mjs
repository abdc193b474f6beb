// What a vitest run amounts to, from its JSON report.

/** @typedef {{ testResults: { status: string, assertionResults: { status: string }[] }[] }} Report the part that is read here */
/** @typedef {{ passed: number, failed: number }} Count */

/**
 * A test that did not run (skipped, or its file or browser broke) counts as failed, and so does a run that failed without saying where.
 * @param {Report} report
 * @param {number} status vitest's exit status
 * @returns {Count}
 */
export function countTests({ testResults }, status) {
  const tests = testResults.flatMap((file) => file.assertionResults);
  const passed = tests.filter((test) => test.status === "passed").length;
  const brokenFiles = testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.every((test) => test.status === "passed"),
  );
  const failed = tests.length - passed + brokenFiles.length;
  return { passed, failed: status !== 0 && failed === 0 ? 1 : failed };
}
