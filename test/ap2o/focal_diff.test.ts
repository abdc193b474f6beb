// Which tokens differ: by lines and by tokens, with real tokenizers.
import { expect, test } from "vitest";
import { differingLines, focalMask, markedPlaces, tokenSpans } from "../../src/ap2o/focal_diff.ts";
import { loadTokenizer, type Tokenizer } from "../../src/model/tokenizer.ts";
import { modelFiles } from "../golden/golden.ts";

const tokenizer = await loadTokenizer(modelFiles("tiny-qwen2"));
const ids = (text: string): number[] => [...tokenizer.encode(text), tokenizer.eosTokenId];
const RIGHT = "    total = 0\n    for x in xs:\n        total += x\n    return total\n";
const WRONG = "    total = 0\n    for x in xs:\n        total = x\n    return total\n";

/** The text of the marked tokens. */
function marked(of: Tokenizer, answer: readonly number[], mask: readonly number[]): string {
  const { text, spans } = tokenSpans(of, answer);
  return spans.flatMap(([from, to], i) => (mask[i] === 1 ? [text.slice(from, to)] : [])).join("");
}

test.each(["tiny-qwen2", "tiny-llama", "tiny-qwen3"])(
  "%s: the places of the tokens give the text again, also where characters are split",
  async (name) => {
    const own = await loadTokenizer(modelFiles(name));
    for (const text of [RIGHT, "x = 'naïve 日本語 🐍🐍'\n", "\t\tif a:\n\n\n\treturn  \u00e9"]) {
      const tokens = [...own.encode(text), own.eosTokenId];
      const { text: whole, spans } = tokenSpans(own, tokens);
      expect(whole).toBe(text);
      expect(spans.length).toBe(tokens.length);
      for (const [i, [from, to]] of spans.entries()) {
        const alone = own.decode([tokens[i]!]);
        if (i < tokens.length - 1 && !alone.includes("\ufffd")) expect(text.slice(from, to)).toBe(alone);
      }
    }
  },
);

test("line: every token of the lines that differ, and no other", () => {
  const mask = focalMask(tokenizer, ids(WRONG), ids(RIGHT), "line");
  expect(mask.length).toBe(ids(WRONG).length);
  expect(marked(tokenizer, ids(WRONG), mask).trim()).toBe("total = x");
  expect(mask.at(-1)).toBe(0);
});

test("token: only the tokens themselves", () => {
  const wrong = ids(RIGHT.replace("+= x", "+= y"));
  expect(marked(tokenizer, wrong, focalMask(tokenizer, wrong, ids(RIGHT), "token")).trim()).toBe("y");
  expect(marked(tokenizer, wrong, focalMask(tokenizer, wrong, ids(RIGHT), "line")).trim()).toBe("total += y");
});

test.each(["line", "token"] as const)("%s: the places of the marked tokens in the answer's text, neighbours joined", (unit) => {
  const answer = "    total = 0\n    return totals + 1\n";
  const tokens = ids(answer);
  const mask = focalMask(tokenizer, tokens, ids("    total = 0\n    return total + 1\n"), unit);
  const places = markedPlaces(tokenizer, tokens, mask, answer);
  expect(places).toHaveLength(1);
  const [from, to] = places[0]!;
  const texts = { line: "    return totals + 1\n", token: "totals" };
  expect(texts[unit]).toContain(answer.slice(from, to).trim());
  expect(answer.slice(from, to)).toContain("s");
  const behindPrompt = markedPlaces(tokenizer, tokens, mask, answer.slice(10)); // the first token reached over into the prompt
  expect(behindPrompt).toEqual([[from - 10, to - 10]]);
});

test("an end token that is marked has no place", () => {
  const short = ids("    x = 1\n");
  const mask = focalMask(tokenizer, short, short, "line");
  expect(markedPlaces(tokenizer, short, mask, "    x = 1\n")).toEqual([]);
});

test("nothing differs (the rejected answer lacks a line, or both are equal): the end token is marked", () => {
  const short = ids("    total = 0\n    return total\n");
  const long = ids("    total = 0\n    total += 1\n    return total\n");
  for (const unit of ["line", "token"] as const) {
    const mask = focalMask(tokenizer, short, long, unit);
    expect(mask.lastIndexOf(1)).toBe(short.length - 1);
    expect(mask.indexOf(1)).toBe(short.length - 1);
    expect(focalMask(tokenizer, long, long, unit).reduce((sum, bit) => sum + bit, 0)).toBe(1);
  }
});

test("differing lines: those of the first text outside the longest common subsequence; spaces at the end do not count", () => {
  expect(differingLines("a\nb\nc\n", "a\nc  ")).toEqual(["b\n"]);
  expect(differingLines("a\nb", "b\na")).toHaveLength(1);
  expect(differingLines("a\n", "a\nb\n")).toEqual([]);
});
