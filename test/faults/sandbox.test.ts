// A sandbox frame that lies, repeats itself, mixes things up or falls silent: exactly one verdict per answer, or one error for all.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { JudgeRequest } from "../../src/python/judge.ts";
import { SandboxJudge } from "../../src/python/sandbox_judge.ts";
import type { Outcome, SandboxRequest } from "../../src/python/sandbox_protocol.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const PLAN = JSON.stringify({ steps: [{ kind: "inside", test: 0, source: "assert f() == 1" }], checks: [] });

/** The two ends of a port without a browser: what the judge sends, and what it is told. */
function wire({ plan = PLAN, opens = true } = {}) {
  const sent: SandboxRequest[] = [];
  const port = {
    onmessage: null as ((event: MessageEvent<unknown>) => void) | null,
    postMessage: (request: SandboxRequest) => void sent.push(request),
    close() {},
  };
  const judge = new SandboxJudge(port as unknown as MessagePort);
  const tell = (data: unknown) => port.onmessage?.(new MessageEvent("message", { data }));
  const settle = () => vi.advanceTimersByTimeAsync(1);
  const plans = async () => {
    await settle();
    for (const { type, id } of sent) if (type === "plan") tell({ type: "planned", id, plan });
    await settle();
  };
  const runs = () => sent.filter((request) => request.type === "run");
  if (opens) tell({ type: "ready", snapshot: null });
  return { judge, sent, tell, settle, plans, runs };
}

const requests: JudgeRequest[] = [1, 2, 3].map((n) => ({
  taskId: "T",
  program: `def f():\n    return ${n}`,
  entryPoint: "f",
  tests: ["assert f() == 1"],
  timeoutMs: 1000,
}));

const outcome = (id: number, change: Partial<Outcome> = {}): Outcome => ({
  type: "outcome",
  id,
  end: "done",
  results: ["", ""],
  stepSeconds: [0, 0],
  message: "",
  stderr: "",
  seconds: 0.01,
  limitMs: 0,
  overrunMs: 0,
  fresh: false,
  healthy: true,
  dropped: 0,
  ...change,
});

test("answers in the wrong order, twice, forged and of no shape: one verdict each, its own", async () => {
  const { judge, tell, plans, settle, runs } = wire();
  const told: number[] = [];
  const judging = judge.judge(requests, { onVerdict: (index) => void told.push(index) });
  await plans();
  const [a, b, c] = runs().map(({ id }) => id);
  tell({ type: "outcome", id: a });
  tell("pass");
  tell(null);
  tell(outcome(9999));
  tell(outcome(c!));
  tell(outcome(c!, { results: ["", "!"] }));
  tell(outcome(a!, { results: ["!"], end: "done" }));
  tell(outcome(b!));
  tell(outcome(a!));
  await settle();
  const again = runs().filter(({ id }) => ![a, b, c].includes(id)); // doubtful ones are tried once more
  for (const { id } of again) tell(outcome(id));
  const verdicts = await judging;
  expect(verdicts.length).toBe(3);
  expect([...told].sort()).toEqual([0, 1, 2]);
});

test("a worker that dies in the middle of an answer: tried again in a fresh one, then that verdict counts", async () => {
  const { judge, tell, plans, settle, runs } = wire();
  const judging = judge.judge(requests.slice(0, 1));
  await plans();
  tell(outcome(runs()[0]!.id, { end: "crash", results: [] }));
  await settle();
  expect(runs().length).toBe(2);
  expect(runs()[1]!.fresh).toBe(true);
  tell(outcome(runs()[1]!.id, { end: "crash", results: [], fresh: true }));
  expect((await judging).map(({ verdict }) => verdict)).toEqual(["crash"]);
});

test("an interpreter that fails twice is an infra_error, never the answer's failure, and is not kept", async () => {
  const { judge, tell, plans, settle, runs } = wire();
  const judging = judge.judge(requests.slice(0, 1));
  await plans();
  for (let tries = 0; tries < 2; tries++) {
    tell(outcome(runs().at(-1)!.id, { end: "infra_error", results: [], fresh: true }));
    await settle();
  }
  expect((await judging).map(({ verdict }) => verdict)).toEqual(["infra_error"]);
  const before = runs().length;
  void judge.judge(requests.slice(0, 1)).catch(() => {});
  await settle();
  expect(runs().length).toBe(before + 1);
});

test("a sandbox that does not boot: every answer waiting, and every one to come, is told so", async () => {
  const { judge, tell, plans } = wire();
  const judging = judge.judge(requests);
  const failing = expect(judging).rejects.toThrow("The Python sandbox could not start: no memory");
  await plans();
  tell({ type: "broken", message: "The Python sandbox could not start: no memory" });
  await failing;
  await expect(judge.judge(requests)).rejects.toThrow("no memory");
});

test("a frame that falls silent ends the judging with a sentence; one that answers slowly does not", async () => {
  const { judge, tell, plans, runs } = wire();
  const judging = judge.judge(requests);
  const failing = expect(judging).rejects.toThrow(/^The Python sandbox no longer answers: .* nothing of it is lost\.$/);
  await plans();
  await vi.advanceTimersByTimeAsync(230_000);
  tell(outcome(runs()[0]!.id));
  await vi.advanceTimersByTimeAsync(230_000);
  tell(outcome(runs()[1]!.id));
  await vi.advanceTimersByTimeAsync(230_000);
  tell({ type: "alive" });
  await vi.advanceTimersByTimeAsync(230_000);
  expect(runs()).toHaveLength(3);
  await vi.advanceTimersByTimeAsync(20_000);
  await failing;
});

test("a frame that never opens, though it says that it is there, ends the judging with a sentence; a slow one does not", async () => {
  const sentence = /^The Python sandbox did not start within 5 minutes: .* nothing of it is lost\.$/;
  const never = wire({ opens: false });
  const failing = [never.judge.judge(requests), never.judge.ready()].map((asked) => expect(asked).rejects.toThrow(sentence));
  const slow = wire({ opens: false });
  for (let seconds = 0; seconds < 290; seconds += 10) {
    await vi.advanceTimersByTimeAsync(10_000);
    for (const { tell } of [never, slow]) tell({ type: "alive" });
  }
  slow.tell({ type: "ready", snapshot: null });
  await vi.advanceTimersByTimeAsync(600_000);
  await Promise.all(failing);
  await expect(slow.judge.ready()).resolves.toEqual({ snapshot: null });
  void slow.judge.judge(requests).catch(() => {});
  await slow.plans();
  expect(slow.runs()).toHaveLength(3);
});
