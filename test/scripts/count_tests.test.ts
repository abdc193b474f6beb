import { expect, test } from "vitest";
import { countTests } from "../../scripts/count_tests.mjs";

/** A file's results: its tests' statuses, and its own. */
const file = (status: string, ...tests: string[]) => ({ status, assertionResults: tests.map((each) => ({ status: each })) });

test("passed and failed tests are counted over all files", () => {
  const testResults = [file("passed", "passed", "passed"), file("failed", "passed", "failed")];
  expect(countTests({ testResults }, 1)).toEqual({ passed: 3, failed: 1 });
});

test("a skipped test counts as failed", () => {
  expect(countTests({ testResults: [file("passed", "passed", "skipped", "todo")] }, 0)).toEqual({ passed: 1, failed: 2 });
});

test("a file that could not be loaded counts as one failure, one that failed before its tests as theirs", () => {
  expect(countTests({ testResults: [file("failed")] }, 1)).toEqual({ passed: 0, failed: 1 });
  expect(countTests({ testResults: [file("failed", "skipped", "skipped")] }, 1)).toEqual({ passed: 0, failed: 2 });
});

test("a file that broke after its tests had passed counts as one failure more", () => {
  expect(countTests({ testResults: [file("failed", "passed", "passed")] }, 1)).toEqual({ passed: 2, failed: 1 });
});

test("a run that failed without a failed test, as when the browser did not start, is not a success", () => {
  expect(countTests({ testResults: [file("passed", "passed")] }, 1)).toEqual({ passed: 1, failed: 1 });
});
