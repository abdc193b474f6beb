// The command line's judge when its browser crashes: one verdict per answer all the same, or one sentence.

import type * as Playwright from "playwright";
import { expect, test, vi } from "vitest";
import { openBrowserJudge } from "../../src/cli/judge_browser.ts";
import { LastingBrowserJudge } from "../../src/cli/lasting_browser.ts";
import { InputError } from "../../src/input_error.ts";
import type { Judge, JudgeRequest, Verdict } from "../../src/python/judge.ts";
import { infraError } from "../../src/python/verdict.ts";

const browsers: Playwright.Browser[] = [];
vi.mock("playwright", async (original) => {
  const real = await original<typeof Playwright>();
  const launch: typeof real.chromium.launch = async (options) => {
    const browser = await real.chromium.launch(options);
    browsers.push(browser);
    return browser;
  };
  return { ...real, chromium: { launch } };
});

const requests: JudgeRequest[] = Array.from({ length: 6 }, (_, n) => ({
  taskId: "T",
  program: `def f():\n    return ${n}`,
  entryPoint: "f",
  tests: ["assert f() == 1"],
  timeoutMs: 5000,
}));
const verdictOf = ({ program }: JudgeRequest): Verdict => ({ ...infraError(""), verdict: "pass", message: program });

/** Judges that fail after so many verdicts each; those after them last. */
function opener(failAfter: readonly number[]) {
  let opened = 0;
  const open = async (): Promise<Judge> => {
    const left = failAfter[opened++] ?? Number.POSITIVE_INFINITY;
    return {
      judge: async (asked, options) => {
        for (const [i, request] of asked.entries()) {
          await null;
          if (i >= left) throw new Error("page.evaluate: Target crashed\n  at a place");
          for (let twice = 0; twice < 2; twice++) options?.onVerdict?.(i, verdictOf(request));
        }
        return asked.map(verdictOf);
      },
      close: async () => {},
    };
  };
  return { open, opened: () => opened };
}

async function judged(failAfter: readonly number[], calls = 1) {
  const { open, opened } = opener(failAfter);
  const [told, indices]: [string[], number[]] = [[], []];
  const judge = await LastingBrowserJudge.open(open, (message) => void told.push(message));
  const asked = Array.from({ length: calls }, () => judge.judge(requests, { onVerdict: (index) => void indices.push(index) }));
  const verdicts = await Promise.all(asked);
  await judge.close();
  return { verdicts, told, indices: indices.sort(), opened: opened() };
}

test("a browser that fails is replaced, and every answer has one verdict, told once", async () => {
  const whole = await judged([]);
  for (const failAfter of [[0], [3], [3, 1, 1]]) {
    const failed = await judged(failAfter);
    expect([failed.verdicts, failed.indices]).toEqual([whole.verdicts, whole.indices]);
    expect([failed.told.length, failed.opened]).toEqual([failAfter.length, failAfter.length + 1]);
    expect(failed.told[0]).toMatch(/^The browser that judges failed \(page.evaluate: Target crashed\)\. Another one is opened/);
  }
  const together = await judged([2], 3);
  expect([together.opened, together.told.length, together.indices.length]).toEqual([2, 1, 18]);
});

test("one that fails twice with no verdict between ends with one sentence", async () => {
  const judging = judged([2, 0]);
  await expect(judging).rejects.toThrow(InputError);
  await expect(judging).rejects.toThrow(/^The browser that judges failed twice \(.*\): close what takes its memory, then call again/);
});

test("a judge that is closed, or called off, opens no other browser", async () => {
  const { open, opened } = opener([0]);
  const judge = await LastingBrowserJudge.open(open, () => {});
  const judging = judge.judge(requests);
  await judge.close();
  await expect(judging).rejects.toThrow("Target crashed");
  expect(opened()).toBe(1);
});

test("a real page that crashes while it judges", { timeout: 120_000 }, async () => {
  const told: string[] = [];
  const judge = await LastingBrowserJudge.open(openBrowserJudge, (message) => void told.push(message));
  const judging = judge.judge(requests.map((request) => ({ ...request, program: `import time\n${request.program}\ntime.sleep(0.3)` })));
  const page = browsers[0]!.contexts()[0]!.pages()[0]!;
  const session = await page.context().newCDPSession(page);
  const crash = session.send("Page.crash").catch(() => {}); // it answers no more
  expect((await judging).map(({ verdict }) => verdict)).toEqual(requests.map((_, n) => (n === 1 ? "pass" : "wrong_answer")));
  expect([told.length, browsers.length]).toEqual([1, 2]);
  await judge.close();
  await crash;
});
