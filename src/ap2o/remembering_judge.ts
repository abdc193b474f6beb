// A judge that remembers: the same program with the same tests gets the same verdict all run long, which keeps a run's files
// the same and saves most of the work (a small model writes the same answer many times).
import type { Judge, JudgeRequest, Verdict } from "../python/judge.ts";

/** Wraps `judge`; infra errors are not remembered. */
export function rememberingJudge(judge: Judge): Judge {
  const known = new Map<string, Promise<Verdict>>();
  return {
    judge: (requests) => {
      const fresh = new Map<string, JudgeRequest>();
      for (const request of requests) if (!known.has(keyOf(request))) fresh.set(keyOf(request), request);
      judgeAll(judge, fresh, known);
      return Promise.all(requests.map((request) => known.get(keyOf(request))!));
    },
    close: () => judge.close(),
  };
}

function judgeAll(judge: Judge, fresh: ReadonlyMap<string, JudgeRequest>, known: Map<string, Promise<Verdict>>): void {
  if (fresh.size === 0) return;
  const verdicts = judge.judge([...fresh.values()]);
  [...fresh.keys()].forEach((key, i) => {
    const verdict = verdicts.then((all) => all[i]!);
    known.set(key, verdict);
    const forget = () => void known.delete(key);
    verdict.then((value) => value.verdict === "infra_error" && forget(), forget);
  });
}

function keyOf({ program, entryPoint, setup, tests, timeoutMs }: JudgeRequest): string {
  return JSON.stringify([program, entryPoint, setup ?? "", tests, timeoutMs]);
}
