// What a program printed against what it should have: line by line, trailing space and trailing empty lines aside.

/** The first line that differs, 1-based, with both texts; a missing line is null. */
export interface LineDifference {
  readonly line: number;
  readonly got: string | null;
  readonly expected: string | null;
}

/**
 * The first difference between two outputs, or null.
 * @param numbersByValue lines of the same decimal numbers count as equal (LiveCodeBench's rule: 1.0 for 1)
 */
export function firstDifference(got: string, expected: string, numbersByValue: boolean): LineDifference | null {
  const [left, right] = [linesOf(got), linesOf(expected)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [a, b] = [left[i] ?? null, right[i] ?? null];
    if (a !== null && b !== null && (a === b || (numbersByValue && sameNumbers(a, b)))) continue;
    return { line: i + 1, got: a, expected: b };
  }
  return null;
}

function linesOf(text: string): string[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => line.trimEnd());
}

function sameNumbers(a: string, b: string): boolean {
  const [left, right] = [a, b].map((line) => line.trim().split(/\s+/).map(canonicalDecimal));
  return left!.length === right!.length && left!.every((number, i) => number !== null && number === right![i]);
}

/** A decimal number in one form only: 1.50 and 15e-1 are 15e-1; null for what is none. */
function canonicalDecimal(text: string): string | null {
  const match = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text);
  if (!match || (match[2] === "" && match[3] === "")) return null;
  const [, sign, whole = "", part = "", exponent = "0"] = match;
  const digits = (whole + part).replace(/^0+/, "");
  if (digits === "") return "0";
  const kept = digits.replace(/0+$/, "");
  return `${sign === "-" ? "-" : ""}${kept}e${Number(exponent) - part.length + digits.length - kept.length}`;
}
