import { expect, test } from "vitest";
import { firstDifference } from "../../src/python/printed.ts";

test.each([
  ["the same", "1\n2\n", "1\n2\n"],
  ["no line end at the end", "1\n2", "1\n2\n"],
  ["trailing space and empty lines", "1  \n2\t\n\n\n", "1\n2"],
  ["Windows line ends", "1\r\n2\r\n", "1\n2\n"],
  ["nothing", "", "\n"],
])("equal: %s", (_, got, expected) => {
  expect(firstDifference(got, expected, false)).toBeNull();
});

test.each([
  ["another line", "1\n3\n", "1\n2\n", { line: 2, got: "3", expected: "2" }],
  ["one line where two should be", "1 2", "1\n2", { line: 1, got: "1 2", expected: "1" }],
  ["a line less", "1", "1\n2", { line: 2, got: null, expected: "2" }],
  ["a line more", "1\n2\n3", "1\n2", { line: 3, got: "3", expected: null }],
  ["leading space", " 1", "1", { line: 1, got: " 1", expected: "1" }],
  ["the same number written otherwise", "1.0", "1", { line: 1, got: "1.0", expected: "1" }],
])("different: %s", (_, got, expected, difference) => {
  expect(firstDifference(got, expected, false)).toEqual(difference);
});

test.each([
  ["1.0 2.50", "1 2.5", true],
  ["1e3", "1000", true],
  ["-0", "0", true],
  ["0.1", "0.10000000001", false],
  ["1 2", "1 2 3", false],
  ["nan", "NaN", false],
  ["1.", "1", true],
])("numbers by value: %s and %s", (got, expected, equal) => {
  expect(firstDifference(got, expected, true) === null).toBe(equal);
});
