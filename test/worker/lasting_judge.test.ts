// A sandbox frame that falls silent: another is asked for, what was with it is judged there, and what silences that one, too, is reported.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { JudgeRequest, Verdict } from "../../src/python/judge.ts";
import { infraError } from "../../src/python/verdict.ts";
import { LastingJudge } from "../../src/worker/lasting_judge.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const PASS: Verdict = { ...infraError(""), verdict: "pass" };
const SILENT = "The Python sandbox no longer answers: reload the page.";

/** A frame that falls silent for good when it is given one of these programs, or from its beginning. */
function frame(silencedBy: (program: string) => boolean, starts = true) {
  let silent = false;
  let ended = false; // it is known by then, and said at once
  const waiting: ((error: Error) => void)[] = [];
  const judged: string[] = [];
  const end = () => {
    ended = true;
    for (const give of waiting) give(new Error(SILENT));
  };
  return {
    judged,
    ready: () => (starts ? Promise.resolve({ snapshot: null }) : Promise.reject(new Error("The Python sandbox could not start."))),
    close: vi.fn(async () => {}),
    judge: ([{ program }]: readonly JudgeRequest[]) =>
      new Promise<Verdict[]>((resolve, reject) => {
        judged.push(program);
        if (ended) return reject(new Error(SILENT));
        silent ||= silencedBy(program);
        if (silent) waiting.push(reject);
        else setTimeout(() => resolve([PASS]), 10);
        if (silent && waiting.length === 1) setTimeout(end, 1000);
      }),
  };
}

function judgeWith(frames: ReturnType<typeof frame>[]) {
  const left = [...frames];
  const port = new MessageChannel().port1;
  const told = vi.fn();
  const ask = vi.fn(() => void setTimeout(() => judge.give(port), 100));
  const judge = new LastingJudge(port, { ask, told, open: () => left.shift() ?? frame(() => false) });
  return { judge, told, ask };
}

const request = (program: string): JudgeRequest => ({ taskId: "T", program, entryPoint: "f", tests: ["assert f()"], timeoutMs: 100 });
const requests = ["a", "bad", "b", "c"].map(request);
const kinds = (verdicts: readonly Verdict[]) => verdicts.map(({ verdict }) => verdict);

test("what was with a frame that fell silent is judged by another one, which is asked for once", async () => {
  const [first, second] = [frame((program) => program === "bad"), frame(() => false)];
  const { judge, told, ask } = judgeWith([first, second]);
  const heard: number[] = [];
  const judging = judge.judge(requests, { onVerdict: (index) => void heard.push(index) });
  await vi.advanceTimersByTimeAsync(5000);
  expect(kinds(await judging)).toEqual(["pass", "pass", "pass", "pass"]);
  expect(heard.sort()).toEqual([0, 1, 2, 3]);
  expect(second.judged).toEqual(["bad", "b", "c"]); // "a" had its verdict
  expect(first.close).toHaveBeenCalledOnce();
  expect(ask).toHaveBeenCalledOnce();
  expect(told.mock.calls).toEqual([["The Python sandbox no longer answers. Another one is opened, and the run goes on."]]);
});

test("an answer that silences two frames is an infra_error, once, and the others have their verdicts", async () => {
  const silenced = (program: string) => program === "bad";
  const { judge, ask } = judgeWith([frame(silenced), frame(silenced), frame(() => false)]);
  const first = judge.judge([request("bad")]);
  await vi.advanceTimersByTimeAsync(5000);
  expect(kinds(await first)).toEqual(["infra_error"]);
  const others = judge.judge([request("a"), request("b")]);
  await vi.advanceTimersByTimeAsync(5000);
  expect(kinds(await others)).toEqual(["pass", "pass"]);
  expect(ask).toHaveBeenCalledTimes(2);
});

test("frames that fall silent again and again end the judging with the sentence", async () => {
  const { judge } = judgeWith(Array.from({ length: 9 }, () => frame(() => true)));
  const outcomes: string[] = [];
  for (const program of ["a", "b", "c"]) {
    const judging = judge.judge([request(program)]).then(kinds, (error: Error) => [error.message]);
    await vi.advanceTimersByTimeAsync(10_000);
    outcomes.push(...(await judging));
  }
  expect(outcomes).toEqual(["infra_error", SILENT, SILENT]);
});

test("a Python that does not start is told, not replaced; a page that makes no other frame, too", async () => {
  const broken = judgeWith([frame(() => false, false)]);
  await expect(broken.judge.judge(requests)).rejects.toThrow("could not start");
  expect(broken.ask).not.toHaveBeenCalled();
  const alone = judgeWith([frame(() => true)]);
  alone.ask.mockImplementation(() => undefined);
  const judging = alone.judge.judge([request("a")]).catch((error: Error) => error.message);
  await vi.advanceTimersByTimeAsync(200_000);
  expect(await judging).toMatch(/opened no other Python sandbox/);
});

test("a machine that slept has not waited for the other frame", async () => {
  const first = frame(() => true);
  const { judge, ask } = judgeWith([first, frame(() => false)]);
  ask.mockImplementation(() => undefined);
  const judging = judge.judge([request("a")]);
  await vi.advanceTimersByTimeAsync(5000);
  await vi.runOnlyPendingTimersAsync(); // it wakes: what is overdue is due, once
  judge.give(new MessageChannel().port1);
  await vi.advanceTimersByTimeAsync(5000);
  expect(kinds(await judging)).toEqual(["pass"]);
});
