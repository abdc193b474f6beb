import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Preference } from "../../src/records.ts";
import { focusByLine, focusOf } from "../../src/ui/focus.ts";
import { highlightPython, markSpans } from "../../src/ui/highlight.ts";
import { markWords, sideBySide } from "../../src/ui/side_by_side.ts";

const PAIR: Preference = {
  step: 1,
  task_id: "Demo/1",
  prompt: "",
  chosen: "",
  chosen_index: 0,
  chosen_ended: "stop",
  error_type: "NameError",
  epoch: 0,
  window: [0, 1],
  source: "window",
  probability: 1,
};

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
      { text: "i", scope: "keyword", marked: false, focal: false },
      { text: "f ", scope: "keyword", marked: true, focal: false },
      { text: "x ", scope: null, marked: true, focal: false },
      { text: "< 10", scope: null, marked: false, focal: false },
    ]);
  });

  test("differences and what the focal loss counts cut one another", () => {
    const marks = markSpans([{ text: "abcdef", scope: null }], [[0, 4]], [[2, 6]]);
    expect(marks.map(({ text, marked, focal }) => [text, marked, focal])).toEqual([
      ["ab", true, false],
      ["cd", true, true],
      ["ef", false, true],
    ]);
  });
});

describe("what the focal loss counts", () => {
  const PROGRAM = "# Add.\ndef add(a, b):\n    c = a - b\n    return c\n";
  const COMPLETION = "    c = a - b\n    return c\n";

  test("is found in the lines of the program, behind the prompt", () => {
    const [from, to] = [COMPLETION.indexOf("- b"), COMPLETION.indexOf(" c\n")];
    const lines = focusByLine(PROGRAM, COMPLETION, [[from, to]]);
    expect(lines).toEqual([[], [], [[10, 13]], [[0, 10]], []]);
    expect(PROGRAM.split("\n")[2]?.slice(10, 13)).toBe("- b");
  });

  test("is found where the program was taken out of a chat", () => {
    const chat = `Here:\n\`\`\`python\n${PROGRAM}\`\`\``;
    const from = chat.indexOf("a - b");
    expect(
      focusByLine(PROGRAM, chat, [
        [0, 3],
        [from, from + 5],
      ]),
    ).toEqual([[], [], [[8, 13]], [], []]);
  });

  test("is not drawn where it cannot be placed, or is only white space", () => {
    expect(focusByLine("x = 1", "something else", [[0, 3]])).toBeNull();
    expect(focusByLine(PROGRAM, COMPLETION, [[0, 4]])).toEqual([[], [], [], [], []]);
  });

  test("is known of a pair that says where it is; without a place for the right answer all of that counts", () => {
    const pair: Preference = { ...PAIR, rejected_focus: [[0, 2]] };
    expect(focusOf(pair)).toEqual({ rejected: [[0, 2]], chosen: null });
    expect(focusOf({ ...pair, chosen_focus: [] })?.chosen).toEqual([]);
    expect(focusOf(PAIR)).toBeNull();
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
