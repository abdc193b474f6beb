import { expect, test } from "vitest";
import { duration, openProgress } from "../../src/cli/progress.ts";

function stream(isTTY: boolean) {
  const written: string[] = [];
  const fake = { isTTY, columns: 30, write: (text: string) => written.push(text) };
  return { written, fake: fake as unknown as NodeJS.WriteStream };
}

test("on a terminal one live line is written over again", () => {
  const { written, fake } = stream(true);
  const progress = openProgress(fake);
  progress.show("one");
  progress.show("a line that is much longer than the terminal is wide");
  progress.say("kept");
  progress.end();
  expect(written).toEqual(["one", "\r\x1b[K", "a line that is much longer th", "\r\x1b[K", "kept\n"]);
});

test("elsewhere plain lines, and not too many", () => {
  const { written, fake } = stream(false);
  let time = 0;
  const progress = openProgress(fake, () => time);
  progress.show("at once");
  time = 2000;
  progress.show("too soon");
  progress.say("kept");
  time = 8000;
  progress.show("later");
  expect(written).toEqual(["at once\n", "kept\n", "later\n"]);
});

test("durations in words", () => {
  expect([4.4, 65, 7300].map(duration)).toEqual(["4 s", "1 min 5 s", "2 h 1 min"]);
});
