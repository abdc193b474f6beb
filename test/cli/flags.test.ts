import { expect, test } from "vitest";
import { choiceFlag, describeFlags, listFlag, numberFlag, readFlags, readNumber, switchFlag, textFlag } from "../../src/cli/flags.ts";
import { InputError } from "../../src/input_error.ts";

const flags = {
  out: textFlag("FOLDER", "where it goes", null),
  n: numberFlag("N", "how many", 10, { integer: true, min: 1 }, { short: "n" }),
  split: choiceFlag(["train", "all"], "which", "all"),
  k: listFlag("1,5", "these", null, (text, flag) => readNumber(text, flag, { integer: true, min: 1 }), { short: "k" }),
  chat: switchFlag("as a chat"),
} as const;

test("values by their kinds, what is not given as its initial value", () => {
  expect(readFlags("x", flags, [])).toEqual({ out: null, n: 10, split: "all", k: null, chat: false });
  expect(readFlags("x", flags, ["--out", "a", "-n", "3", "--split=train", "-k", "1, 5", "--chat"])).toEqual({
    ...{ out: "a", n: 3, split: "train", k: [1, 5], chat: true },
  });
});

test.each([
  [["--frobnicate"], "Unknown option '--frobnicate'; errata x --help lists the flags."],
  [["stray"], "Unexpected argument 'stray'"],
  [["--out"], "argument missing"],
  [["-n", "0"], "--n must be a whole number, at least 1; found 0."],
  [["-n", "2.5"], "--n must be a whole number"],
  [["-n", "many"], "--n must be a whole number, at least 1; found many."],
  [["--split", "dev"], "--split must be one of train, all; found dev."],
  [["-k", "1,,5"], "--k must be a whole number"],
])("%j is refused with one sentence", (args, sentence) => {
  expect(() => readFlags("x", flags, args)).toThrow(InputError);
  expect(() => readFlags("x", flags, args)).toThrow(sentence);
});

test("help names every flag, its value, its short form and its default", () => {
  const help = describeFlags(flags);
  expect(help).toMatch(/-n, --n N\s+how many \(10\)/);
  expect(help).toMatch(/--split train\|all\s+which \(all\)/);
  expect(help).toMatch(/--chat\s+as a chat$/m);
  expect(help.split("\n").length).toBe(5);
});
