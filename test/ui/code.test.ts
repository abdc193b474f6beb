import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { highlightPython, markSpans } from "../../src/ui/highlight.ts";
import { markWords, sideBySide } from "../../src/ui/side_by_side.ts";

const textOf = (lines: readonly { text: string }[][]) => lines.map((line) => line.map((span) => span.text).join("")).join("\n");

describe("highlighting", () => {
  test("Python gets scopes", () => {
    const [first, second] = highlightPython("def f(x):\n    return 'a'");
    expect(first).toContainEqual({ text: "def", scope: "keyword" });
    expect(first).toContainEqual({ text: "f", scope: "title.function" });
    expect(second).toContainEqual({ text: "'a'", scope: "string" });
  });

  test("indentation stands apart, so that an underline begins at the first letter", () => {
    expect(highlightPython("    x = 1")[0]?.[0]).toEqual({ text: "    ", scope: null });
  });

  test("no text is lost, whatever a model writes", () => {
    const pieces = fc.constantFrom("<b>", "&amp;", '"""', "def ", "\n", "  ", "'", "f'{", "}", "#", "é", "\t", "return");
    fc.assert(
      fc.property(fc.array(fc.oneof(pieces, fc.string()), { maxLength: 12 }), (parts) => {
        const code = parts.join("").replaceAll("\r", "");
        expect(textOf(highlightPython(code))).toBe(code);
      }),
    );
  });

  test("spans are cut at the borders of marks", () => {
    const spans = [
      { text: "if ", scope: "keyword" },
      { text: "x < 10", scope: null },
    ];
    expect(markSpans(spans, [[1, 5]])).toEqual([
      { text: "i", scope: "keyword", marked: false },
      { text: "f ", scope: "keyword", marked: true },
      { text: "x ", scope: null, marked: true },
      { text: "< 10", scope: null, marked: false },
    ]);
  });
});

describe("side by side", () => {
  test("equal lines stand opposite each other, an added one opposite nothing", () => {
    const rows = sideBySide("a\nb\n", "a\nnew\nb\n");
    expect(rows.map(({ left, right }) => [left?.number ?? null, right?.number ?? null])).toEqual([
      [1, 1],
      [null, 2],
      [2, 3],
    ]);
    expect(rows[1]?.right?.changed).toBe(true);
  });

  test("in a changed line only the words that differ are marked", () => {
    const [row] = sideBySide("    if x > 4:", "    if x < 4:");
    expect(row?.left).toMatchObject({ changed: true, marks: [[9, 10]] });
    expect(row?.right?.marks).toEqual([[9, 10]]);
  });

  test("lines that share nearly nothing are not marked word by word", () => {
    expect(markWords("return total", "for x in values:")).toEqual({ left: [], right: [] });
  });

  test("each side's lines are its program", () => {
    const line = fc.constantFrom("a", "b", "  c", "", "d d");
    fc.assert(
      fc.property(fc.array(line), fc.array(line), (left, right) => {
        const rows = sideBySide(left.join("\n"), right.join("\n"));
        const side = (which: "left" | "right") => rows.flatMap((row) => row[which]?.text ?? []).join("\n");
        expect(side("left").trimEnd()).toBe(left.join("\n").trimEnd());
        expect(side("right").trimEnd()).toBe(right.join("\n").trimEnd());
      }),
    );
  });
});
