// How many programs a second the sandbox judges.

import { type BenchRow, benchRow } from "../bench/rows.ts";
import { openJudge, openProblems } from "./open.ts";
import type { Progress } from "./progress.ts";

const PROGRAMS = 64;

/** The embedded problems' own solutions, judged in reused interpreters, and some of them each in a fresh one. */
export async function benchJudge(progress: Progress): Promise<BenchRow[]> {
  const problems = openProblems({ problems: "", "task-ids": null }, 0).problems.filter(({ solution }) => solution !== undefined);
  const requests = Array.from({ length: PROGRAMS }, (_, i) => {
    const { taskId, entryPoint, tests, solution } = problems[i % problems.length]!;
    return { taskId, program: solution ?? "", entryPoint, tests, timeoutMs: 3000 };
  });
  const judge = await openJudge(progress);
  const rows: BenchRow[] = [];
  for (const [isolation, some] of [
    ["batch", requests],
    ["fresh", requests.slice(0, 8)],
  ] as const) {
    progress.show(`judging, ${isolation}`);
    await judge.judge(some, { isolation });
    const start = performance.now();
    const verdicts = await judge.judge(some, { isolation });
    const seconds = (performance.now() - start) / 1000;
    const details = {
      programs_per_second: Number((some.length / seconds).toFixed(1)),
      passed: verdicts.filter((v) => v.verdict === "pass").length,
    };
    rows.push(benchRow(`judge, ${isolation}`, `${some.length} programs`, { flops: 0, seconds, details }));
  }
  await judge.close();
  return rows;
}
