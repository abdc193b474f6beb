// The judge with a sandbox that is played here: what it asks for again, what it keeps, how verdicts come back.
import { afterEach, expect, test } from "vitest";
import type { JudgeRequest } from "../../src/python/judge.ts";
import { type ReferenceStore, SandboxJudge } from "../../src/python/sandbox_judge.ts";
import type { Outcome, RunRequest, SandboxReply, SandboxRequest } from "../../src/python/sandbox_protocol.ts";

type Played = Partial<Omit<Outcome, "type" | "id">>;
let open: { judge: SandboxJudge; port: MessagePort }[] = [];
afterEach(async () => {
  for (const { judge, port } of open) {
    await judge.close();
    port.close();
  }
  open = [];
});

const PLAN = JSON.stringify({
  steps: [{ kind: "value", test: 0, source: "f(1)" }],
  checks: [
    {
      test: 0,
      after: 1,
      text: "f(1) == 2",
      tree: {
        op: "compare",
        by: ["=="],
        of: [
          { op: "step", step: 0 },
          { op: "constant", value: "i2;" },
        ],
      },
    },
  ],
});

/** A judge whose runs `play` gives the outcomes of; `runs` grows. */
function judgeWith(play: (run: RunRequest, n: number) => Played | null, references: ReferenceStore | null = null) {
  const { port1, port2 } = new MessageChannel();
  const runs: RunRequest[] = [];
  const send = (reply: SandboxReply) => port2.postMessage(reply);
  port2.onmessage = ({ data }: MessageEvent<SandboxRequest>) => {
    if (data.type === "plan") send({ type: "planned", id: data.id, plan: PLAN });
    if (data.type !== "run") return;
    runs.push(data);
    const played = play(data, runs.length);
    if (!played) return;
    const base = { results: ["", "i2;"], end: "done", message: "", stderr: "", seconds: 0.1, limitMs: 1000, overrunMs: 0 } as const;
    const results = [...(played.results ?? base.results)];
    const state = { fresh: data.fresh, healthy: true, dropped: 0, stepSeconds: results.map(() => 0.01) };
    send({ type: "outcome", id: data.id, ...base, ...state, ...played, results });
  };
  const judge = new SandboxJudge(port1, references);
  send({ type: "ready", snapshot: null });
  open.push({ judge, port: port2 });
  return { judge, runs };
}

const request = (program: string): JudgeRequest => ({
  taskId: "T/1",
  program,
  entryPoint: "f",
  tests: ["assert f(1) == 2"],
  timeoutMs: 1000,
});

test("a timeout is judged once more, alone and fresh, before it counts", async () => {
  const { judge, runs } = judgeWith((_, n) => (n === 1 ? { end: "timeout", results: [""] } : {}));
  expect(await judge.judge([request("a")])).toMatchObject([{ verdict: "pass" }]);
  expect(runs.map(({ fresh, alone }) => [fresh, alone])).toEqual([
    [false, false],
    [true, true],
  ]);
});

test("infra_error is tried once more, then told, and not kept", async () => {
  const { judge, runs } = judgeWith(() => ({ end: "infra_error", results: [], message: "it broke" }));
  expect(await judge.judge([request("a")])).toMatchObject([{ verdict: "infra_error", errorType: "", message: "it broke" }]);
  expect(runs).toHaveLength(2);
  await judge.judge([request("a")]);
  expect(runs).toHaveLength(4);
});

test("a changed interpreter puts its answer in doubt; a crash in a used one, too", async () => {
  const { judge, runs } = judgeWith(({ fresh, program }) => {
    if (fresh) return {};
    return program === "unhealthy" ? { healthy: false, results: ["", "i3;"] } : { end: "crash", results: [] };
  });
  expect(await judge.judge([request("unhealthy"), request("crash")])).toMatchObject([{ verdict: "pass" }, { verdict: "pass" }]);
  expect(runs.filter(({ fresh }) => fresh)).toHaveLength(2);
});

test("about one batch verdict in a hundred is judged again, fresh, and the fresh verdict counts", async () => {
  const { judge, runs } = judgeWith(({ fresh }) => (fresh ? { results: ["", "i3;"] } : {}));
  const verdicts = await judge.judge(Array.from({ length: 1000 }, (_, i) => request(`program ${i}`)));
  const again = verdicts.filter(({ rejudged }) => rejudged);
  expect(again.length).toBeGreaterThan(2);
  expect(again.length).toBeLessThan(25);
  expect(runs).toHaveLength(1000 + again.length);
  expect(again.every(({ verdict, rejudged }) => verdict === "wrong_answer" && rejudged?.disagreed === "pass")).toBe(true);
  expect(verdicts.filter(({ verdict }) => verdict === "pass")).toHaveLength(1000 - again.length);
});

test("verdicts come in the order of the requests, and as they are known", async () => {
  const { judge } = judgeWith(({ program }) => ({ results: ["", program === "b" ? "i3;" : "i2;"] }));
  const told: number[] = [];
  const verdicts = await judge.judge([request("a"), request("b"), request("c")], { onVerdict: (index) => told.push(index) });
  expect(verdicts.map(({ verdict }) => verdict)).toEqual(["pass", "wrong_answer", "pass"]);
  expect(told.sort()).toEqual([0, 1, 2]);
});

test("called off, it rejects, and the next is judged", async () => {
  const { judge } = judgeWith(({ program }) => (program === "endless" ? null : {}));
  const controller = new AbortController();
  const judged = judge.judge([request("endless")], { signal: controller.signal });
  setTimeout(() => controller.abort(new Error("enough")), 20);
  await expect(judged).rejects.toThrow("enough");
  expect(await judge.judge([request("a")])).toMatchObject([{ verdict: "pass" }]);
});

test("a limit for each test reaches the sandbox beside the one for all", async () => {
  const { judge, runs } = judgeWith(() => ({}));
  await judge.judge([{ ...request("a"), testTimeoutMs: 500 }]);
  expect(runs[0]).toMatchObject({ timeoutMs: 1000, stepTimeoutsMs: [500, 500] });
});

test("EvalPlus: the reference runs once and is kept; base and plus are judged each for itself", async () => {
  const kept = new Map<string, string>();
  const store: ReferenceStore = { get: async (key) => kept.get(key) ?? null, put: async (key, text) => void kept.set(key, text) };
  const suite = { kind: "evalplus", reference: "reference", alternative: "", base: ["1"], plus: ["2"], atol: 0, oracle: "equal" } as const;
  const asked = { ...request("answer"), tests: [], suite };
  const play = ({ program, steps }: RunRequest) => {
    if (program.startsWith("reference")) return { results: ["", "i1;", "i2;"] };
    return { results: ["", steps[0]?.source === "f(1)" ? "i1;" : "i3;"] };
  };
  const first = judgeWith(play, store);
  const wanted = { verdict: "wrong_answer", parts: { base: "pass", plus: "wrong_answer" }, expected: "2", got: "3" };
  expect(await first.judge.judge([asked, { ...asked, program: "another" }])).toMatchObject([wanted, wanted]);
  expect(first.runs.filter(({ program }) => program.startsWith("reference"))).toHaveLength(1);
  const second = judgeWith(play, store);
  expect(await second.judge.judge([asked])).toMatchObject([wanted]);
  expect(second.runs.filter(({ program }) => program.startsWith("reference"))).toHaveLength(0);
});

test("EvalPlus: a reference that fails is not the answer's fault", async () => {
  const suite = { kind: "evalplus", reference: "reference", alternative: "", base: ["1"], plus: [], atol: 0, oracle: "equal" } as const;
  const { judge } = judgeWith(() => ({ results: ["", "!(s'exception's'ValueError'Ns'no's'')"] }));
  const [verdict] = await judge.judge([{ ...request("answer"), tests: [], suite }]);
  expect(verdict).toMatchObject({ verdict: "infra_error", message: "T/1: its canonical solution does not run (ValueError: no)" });
});

test("EvalPlus: an input on which the reference itself needs too much memory is left out, the others keep their numbers", async () => {
  const suite = {
    kind: "evalplus",
    reference: "reference",
    alternative: "",
    base: ["1", "2", "3"],
    plus: [],
    atol: 0,
    oracle: "equal",
  } as const;
  const large = "!(s'memory's'MemoryError'Ns''s'')";
  const { judge, runs } = judgeWith(({ program, steps }) => {
    const inputs = steps.map(({ source }) => source.at(2));
    if (!program.startsWith("reference")) return { results: ["", "i1;", "i4;"] };
    return { results: ["", ...inputs.slice(0, inputs.indexOf("2") + 1 || 9).map((input) => (input === "2" ? large : `i${input};`))] };
  });
  const [verdict] = await judge.judge([{ ...request("answer"), tests: [], suite }]);
  expect(verdict).toMatchObject({ verdict: "wrong_answer", test: 2, expected: "3", got: "4" });
  const asked = runs.filter(({ program }) => program === "answer").map(({ steps }) => steps.map(({ source }) => source));
  expect(asked).toContainEqual(["f(1)", "f(3)"]);
});
