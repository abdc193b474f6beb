// npm run verify -- judge: the judge's long checks, on data that do not lie in the repository. Results: docs/results/judge.md.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { judgeRequest } from "../src/ap2o/sit.ts";
import { openBrowserJudge } from "../src/cli/judge_browser.ts";
import type { Judge, JudgeOptions, JudgeRequest, Verdict } from "../src/python/judge.ts";
import { streamOf, uniform } from "../src/random.ts";
import { problemsById, readProblems, readRows } from "../src/tasks/formats.ts";
import type { Problem } from "../src/tasks/problem.ts";
import { mutated, randomText } from "./fuzz_programs.ts";
import { repository } from "./install.mjs";
import type { Context, Part, Step } from "./verify_step.ts";

const HONEST =
  "import bisect, json, math, random\ndef f(x):\n    return bisect.bisect([1, 2, 4], x) + json.loads('[0]')[0] + math.floor(sorted([1.5, 0.5])[1]) + sum([-1, 1]) * random.random()\n";

async function withJudge<T>(workers: number, use: (judge: Judge) => Promise<T>): Promise<T> {
  const judge = await openBrowserJudge({ workers });
  try {
    return await use(judge);
  } finally {
    await judge.close();
  }
}

const load = (path: string): Problem[] => readProblems(readFileSync(path), path, 0);
const percent = (part: number, whole: number) => `${((100 * part) / whole).toFixed(2)} %`;
const median = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
const cell = (text: string) => text.replace(/\s+/g, " ").replaceAll("|", "\\|").slice(0, 160);

/** Judges with a line of progress every tenth. */
function judged(judge: Judge, requests: readonly JudgeRequest[], say: Context["say"], options: JudgeOptions = {}): Promise<Verdict[]> {
  const every = Math.ceil(requests.length / 10);
  let done = 0;
  const onVerdict: JudgeOptions["onVerdict"] = (index, verdict) => {
    options.onVerdict?.(index, verdict);
    if (++done % every === 0) say(`${done} of ${requests.length}`);
  };
  return judge.judge(requests, { ...options, onVerdict });
}

// -- hostile answers -------------------------------------------------------------------------------------------------------------

interface HostileCase {
  readonly id: string;
  readonly category: string;
  readonly code: string;
  readonly entry_point: string;
  readonly test: string;
  readonly expected_verdict: string;
}

const hostile: Step = {
  name: "hostile",
  title: "Hostile answers",
  needs: ["hostile_python.json"],
  run: async ({ data, say }) => {
    const read = (path: string): HostileCase[] => JSON.parse(readFileSync(path, "utf8"));
    const cases = [...read(data("hostile_python.json")), ...read(join(repository, "test", "python", "more_hostile_cases.json"))];
    const requests = cases.flatMap(({ id, code, entry_point: entryPoint, test }): JudgeRequest[] => [
      { taskId: id, program: code, entryPoint, tests: [test], timeoutMs: 2000 },
      { taskId: id, program: `${HONEST}# after ${id}`, entryPoint: "f", tests: ["assert f(2) == 3"], timeoutMs: 5000 },
    ]);
    const verdicts = await withJudge(1, (judge) => judged(judge, requests, say)); // one interpreter: the honest one follows in the same
    const rows = cases.map((hostile, i) => {
      const [verdict, next] = [verdicts[2 * i]!, verdicts[2 * i + 1]!];
      return { hostile, verdict, allowed: hostile.expected_verdict.split("|").includes(verdict.verdict), next: next.verdict === "pass" };
    });
    const [contained, honest] = [rows.filter(({ allowed }) => allowed).length, rows.filter(({ next }) => next).length];
    const hacks = rows.filter(
      ({ hostile, verdict }) => verdict.verdict === "pass" && !hostile.expected_verdict.split("|").includes("pass"),
    );
    const table = rows.map(
      ({ hostile: { id, category, expected_verdict }, verdict, next }) =>
        `| ${id} | ${category} | ${verdict.verdict} | ${verdict.errorType} | ${expected_verdict.replaceAll("|", " or ")} | ${next ? "pass" : "FAIL"} |`,
    );
    const missed = [
      ...rows
        .filter(({ allowed }) => !allowed)
        .map(({ hostile: { id }, verdict }) => `hostile case ${id}: ${verdict.verdict} is not allowed`),
      ...rows.filter(({ next }) => !next).map(({ hostile: { id } }) => `the honest answer after ${id} did not pass`),
    ];
    const summary = `${contained} of ${rows.length} have a verdict that the case allows; the honest answer right after, in the same interpreter where it lives on, passed ${honest} of ${rows.length} times. Reward hacks that passed: ${hacks.length}.`;
    const head = "| case | category | verdict | error type | allowed | the honest answer after it |\n|---|---|---|---|---|---|";
    return { markdown: `${summary}\n\n${head}\n${table.join("\n")}`, missed };
  },
};

// -- ways out --------------------------------------------------------------------------------------------------------------------

const escapes: Step = {
  name: "escapes",
  title: "Ways out",
  needs: [],
  run: async () => {
    const args = ["run", "--project", "node", "--reporter=json", "test/python/containment.test.ts"];
    const ran = spawnSync(process.execPath, [join(repository, "node_modules", "vitest", "vitest.mjs"), ...args], {
      cwd: repository,
      encoding: "utf8",
    });
    const report = JSON.parse(ran.stdout.slice(ran.stdout.indexOf("{")));
    const tests: { title: string; status: string }[] = report.testResults.flatMap(
      (file: { assertionResults: unknown[] }) => file.assertionResults,
    );
    const failed = tests.filter(({ status }) => status !== "passed");
    const names = tests.map(({ title, status }) => `${title}${status === "passed" ? "" : " (FAILED)"}`);
    return {
      markdown: `\`test/python/containment.test.ts\` tries them while servers count what reaches them (TCP connections and requests, UDP packets): ${tests.length - failed.length} of ${tests.length} tests passed, 0 requests got out of the sandbox.\n\n${names.join("; ")}.`,
      missed: failed.map(({ title }) => `a way out is open: ${title}`),
    };
  },
};

// -- agreement with EvalPlus -----------------------------------------------------------------------------------------------------

/** Why the judge differs from the recorded verdict, by task id. */
const REASONS: Readonly<Record<string, string>> = {
  "HumanEval/147":
    "a loop over all triples against a formula that takes no time: EvalPlus allows a second, and this Python is slower than the recorded one",
  "Mbpp/579":
    "a tuple made of a set of strings: its order follows the hash seed, which was another in each of EvalPlus's two runs and is fixed here",
  "Mbpp/599":
    "adds up to 100,000,000 in a loop, in several tests; the reference does it in C. Python in WebAssembly does not end it in the minute that all tests have",
};

interface Recorded {
  readonly base_status: string;
  readonly plus_status: string;
}

const SETS = [
  { folder: "humaneval", problems: "HumanEvalPlus.jsonl.gz", name: "HumanEval+" },
  { folder: "mbpp", problems: "MbppPlus-v0.1.0.jsonl", name: "MBPP+ v0.1.0" },
];

const agreements = SETS.map(
  ({ folder, problems, name }): Step => ({
    name: `agreement-${folder}`,
    title: `Agreement with EvalPlus: ${name}`,
    needs: [problems, `qwen25coder-1.5b-base/${folder}/generated.jsonl`],
    run: async ({ data, say }) => {
      const byId = problemsById(load(data(problems)));
      const place = data(`qwen25coder-1.5b-base/${folder}`);
      const recorded: Record<string, Recorded[]> = JSON.parse(readFileSync(join(place, "generated_eval_results.json"), "utf8")).eval;
      const samples = readRows(readFileSync(join(place, "generated.jsonl")), "generated.jsonl").map(sampleOf);
      const requests = samples.map(({ taskId, completion }) =>
        judgeRequest(byId.get(taskId)!, byId.get(taskId)!.prompt + completion, 3000),
      );
      const verdicts = await withJudge(2, (judge) => judged(judge, requests, say));
      const same = { base: 0, plus: 0 };
      const differing: string[] = [];
      for (const [i, { taskId }] of samples.entries()) {
        const [ours, theirs] = [verdicts[i]!, recorded[taskId]![0]!];
        const base = (ours.parts?.base === "pass") === (theirs.base_status === "pass");
        const plus = (ours.parts?.plus === "pass") === (theirs.plus_status === "pass");
        same.base += Number(base);
        same.plus += Number(plus);
        if (base && plus) continue;
        const said = `${theirs.base_status}, ${theirs.plus_status} | ${ours.parts?.base ?? ours.verdict}, ${ours.parts?.plus ?? ours.verdict}`;
        differing.push(`| ${taskId} | ${said} | ${cell(`${ours.errorType} ${ours.message}`)} | ${REASONS[taskId] ?? ""} |`);
      }
      const count = samples.length;
      const about = `${count} answers of Qwen2.5-Coder-1.5B with the verdicts that EvalPlus recorded, base tests and plus tests each for itself: the same on the base tests for ${same.base} (${percent(same.base, count)}; wanted ≥99 %), on the plus tests for ${same.plus} (${percent(same.plus, count)}; wanted ≥98 %).`;
      const list = `| answer | EvalPlus: base, plus | here | found here | reason |\n|---|---|---|---|---|\n${differing.join("\n")}`;
      const missed = [
        ...(same.base / count < 0.99 ? [`${name}: agreement on base tests is ${percent(same.base, count)}`] : []),
        ...(same.plus / count < 0.98 ? [`${name}: agreement on plus tests is ${percent(same.plus, count)}`] : []),
      ];
      return { markdown: differing.length > 0 ? `${about}\n\nEvery answer on which they differ:\n\n${list}` : about, missed };
    },
  }),
);

function sampleOf(row: ReturnType<typeof readRows>[number]): { taskId: string; completion: string } {
  if ("refused" in row) throw new Error(row.refused);
  const { value } = row;
  if (typeof value !== "object" || value === null || !("task_id" in value) || !("completion" in value))
    throw new Error("a sample lacks its fields");
  return { taskId: String(value.task_id), completion: String(value.completion) };
}

// -- answers of two models to MBPP, with the error types that CPython gave ----------------------------------------------------------

const EXAMS = ["qwen25coder-0.5b_fence_t1.0_24x8.jsonl", "smollm2-135m_fence_t0.6_105x6.jsonl"];
const ExamRow = v.object({ task_id: v.string(), solution: v.string(), error_type: v.string() });

const exams: Step = {
  name: "exams",
  title: "Error types of recorded answers",
  needs: ["sanitized-mbpp.json", ...EXAMS.map((file) => `real-exams/${file}`)],
  run: async ({ data, say }) => {
    const byId = problemsById(load(data("sanitized-mbpp.json"))); // as the models were asked
    const rows = EXAMS.flatMap((file) => readRows(readFileSync(data(`real-exams/${file}`)), file)).map((row) =>
      v.parse(ExamRow, "value" in row ? row.value : null),
    );
    const requests = rows.map(({ task_id, solution }) => judgeRequest(byId.get(task_id)!, solution, 1000));
    const verdicts = await withJudge(2, (judge) => judged(judge, requests, say));
    const differing = rows.flatMap(({ task_id, error_type }, i) => {
      const { errorType, message } = verdicts[i]!;
      return errorType === error_type ? [] : [`| ${task_id} | ${error_type || "passed"} | ${errorType || "passed"} | ${cell(message)} |`];
    });
    const passes = rows.filter(({ error_type }, i) => (error_type === "") === (verdicts[i]!.verdict === "pass")).length;
    const summary = `${rows.length} answers of Qwen2.5-Coder-0.5B and SmolLM2-135M to MBPP, judged before by a CPython on the host: ${passes} have the same outcome, ${rows.length - differing.length} the same error type.`;
    const table = `| answer | recorded | here | found here |\n|---|---|---|---|\n${differing.join("\n")}`;
    return {
      markdown: differing.length > 0 ? `${summary}\n\n${table}` : summary,
      missed: passes / rows.length < 0.99 ? ["recorded answers: fewer than 99 % have the same outcome"] : [],
    };
  },
};

// -- canonical solutions ---------------------------------------------------------------------------------------------------------

/** Errors of the data themselves, by file and task id. */
const DATA_ERRORS: Readonly<Record<string, string>> = {};

const FILES = [
  "HumanEvalPlus.jsonl.gz",
  "MbppPlus-v0.1.0.jsonl",
  "MbppPlus.jsonl.gz",
  "sanitized-mbpp.json",
  "mbpp.jsonl",
  "HumanEval.jsonl.gz",
];

const canonicals = FILES.map(
  (file): Step => ({
    name: `canonical-${file.replace(/\.jsonl?(\.gz)?$/, "")}`,
    title: `Canonical solutions: ${file}`,
    needs: [file],
    run: async ({ data, say }) => {
      const problems = load(data(file));
      const requests = problems.map((problem) => judgeRequest(problem, problem.solution ?? "", 30_000));
      const verdicts = await withJudge(2, (judge) => judged(judge, requests, say));
      const inside = verdicts.filter((verdict) => verdict.inside).length;
      const failed = problems.flatMap((problem, i) => (verdicts[i]!.verdict === "pass" ? [] : [{ problem, verdict: verdicts[i]! }]));
      const reasonOf = (problem: Problem) => DATA_ERRORS[`${file} ${problem.taskId}`];
      const rows = failed.map(
        ({ problem, verdict }) => `| ${problem.taskId} | ${verdict.verdict} | ${cell(verdict.message)} | ${reasonOf(problem) ?? ""} |`,
      );
      const unexplained = failed.filter(({ problem }) => reasonOf(problem) === undefined);
      const missed = unexplained.map(
        ({ problem, verdict }) => `the canonical solution of ${problem.taskId} in ${file} does not pass: ${cell(verdict.message)}`,
      );
      if (inside / problems.length >= 0.02) missed.push(`${file}: ${percent(inside, problems.length)} of the problems need a test inside`);
      const about = `${problems.length - failed.length} of ${problems.length} pass. Problems with a test that has to run inside: ${inside} (${percent(inside, problems.length)}; wanted <2 %).`;
      const list = `| problem | verdict | found | reason |\n|---|---|---|---|\n${rows.join("\n")}`;
      return { markdown: rows.length > 0 ? `${about}\n\n${list}` : about, missed };
    },
  }),
);

// -- speed and memory ------------------------------------------------------------------------------------------------------------

/** Small answers as models write them: solutions of MBPP, every third with another result. */
function smallAnswers(problems: readonly Problem[], count: number, tag: string): JudgeRequest[] {
  return Array.from({ length: count }, (_, i) => {
    const problem = problems[i % problems.length]!;
    const wrong = i % 3 === 0 ? `\n_right = ${problem.entryPoint}\ndef ${problem.entryPoint}(*args):\n    return (_right(*args), 1)\n` : "";
    return judgeRequest(problem, `${problem.solution}${wrong}\n# ${tag} ${i}\n`, 3000);
  });
}

/** Memory in MB of this process's descendants: the browser's processes. Linux only. */
function browserMegabytes(): number | null {
  const status = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/status`, "utf8");
    } catch (error) {
      if (error instanceof Error && "code" in error) return ""; // it ended meanwhile
      throw error;
    }
  };
  if (process.platform !== "linux") return null;
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => ({ pid, text: status(pid) }));
  const number = (text: string, field: string) => Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
  const family = new Set([String(process.pid)]);
  for (let grew = true; grew; ) {
    const children = all.filter(({ pid, text }) => !family.has(pid) && family.has(String(number(text, "PPid"))));
    for (const { pid } of children) family.add(pid);
    grew = children.length > 0;
  }
  family.delete(String(process.pid));
  return Math.round(all.filter(({ pid }) => family.has(pid)).reduce((sum, { text }) => sum + number(text, "VmRSS"), 0) / 1024);
}

const BATCH = 2000;

const speed: Step = {
  name: "speed",
  title: "Speed and memory",
  needs: ["sanitized-mbpp.json"],
  run: async ({ data, say }) => {
    const all = load(data("sanitized-mbpp.json"));
    return withJudge(2, async (judge) => {
      // Plans are made, interpreters are there, and what runs into its limit is known: it measures the limit, not the judge.
      const warm = await judge.judge(smallAnswers(all, all.length, "warm"));
      const problems = all.filter((_, i) => warm[i]?.verdict !== "timeout");
      const memory: (number | null)[] = [];
      let done = 0;
      const onVerdict = () => void (++done % 250 === 0 && memory.push(browserMegabytes()));
      const from = performance.now();
      const batch = await judge.judge(smallAnswers(problems, BATCH, "batch"), { onVerdict });
      const seconds = (performance.now() - from) / 1000;
      const timeouts = batch.filter(({ verdict }) => verdict === "timeout").length;
      const rejudged = batch.filter((verdict) => verdict.rejudged);
      say(`batch: ${(BATCH / seconds).toFixed(0)} answers a second`);
      const freshFrom = performance.now();
      await judge.judge(smallAnswers(problems, 120, "fresh"), { isolation: "fresh" });
      const freshSeconds = (performance.now() - freshFrom) / 1000;
      const single: number[] = [];
      for (const request of smallAnswers(problems, 30, "single")) {
        const start = performance.now();
        await judge.judge([request], { isolation: "fresh" });
        single.push((performance.now() - start) / 1000);
      }
      say(`fresh: ${(120 / freshSeconds).toFixed(1)} answers a second`);
      const endless = Array.from(
        { length: 40 },
        (_, i): JudgeRequest => ({
          taskId: "Endless/1",
          program: `def f(x):\n    while True: pass\n# ${i}`,
          entryPoint: "f",
          tests: ["assert f(1) == 1"],
          timeoutMs: 100,
        }),
      );
      const overruns = (await judge.judge(endless)).flatMap(({ overrunSeconds }) =>
        overrunSeconds === undefined ? [] : 1000 * overrunSeconds,
      );
      const figures = {
        batch: (BATCH - timeouts) / seconds,
        fresh: 120 / freshSeconds,
        p50: median(single),
        overrun: median(overruns),
        memory: [memory[0] ?? 0, memory.at(-1) ?? 0] as const,
      };
      const rows = [
        `| batch | ${figures.batch.toFixed(0)} answers a second (${BATCH} answers, ${timeouts} timeouts, ${all.length - problems.length} problems left out for theirs; ${rejudged.length} judged again in a fresh interpreter, ${rejudged.filter((verdict) => verdict.rejudged?.disagreed).length} otherwise) | ≥100 |`,
        `| fresh | ${figures.fresh.toFixed(1)} answers a second | ≥6 |`,
        `| fresh, one at a time | p50 ${figures.p50.toFixed(2)} s | ≤0.3 s |`,
        `| hard kill | ${figures.overrun.toFixed(1)} ms over the limit at the median of ${overruns.length} of ${endless.length} endless loops (most: ${Math.max(...overruns).toFixed(0)} ms) | ≤50 ms |`,
        `| memory of the browser's processes, every 250 of the ${BATCH} answers | ${memory.join(", ")} MB | flat |`,
      ];
      const missed = [
        ...(figures.batch < 100 ? [`batch: ${figures.batch.toFixed(0)} answers a second`] : []),
        ...(figures.fresh < 6 ? [`fresh: ${figures.fresh.toFixed(1)} answers a second`] : []),
        ...(figures.p50 > 0.3 ? [`fresh, one at a time: p50 ${figures.p50.toFixed(2)} s`] : []),
        ...(overruns.length < endless.length ? [`${endless.length - overruns.length} endless loops were not ended as such`] : []),
        ...(figures.overrun > 50 ? [`hard kill: ${figures.overrun.toFixed(0)} ms over the limit`] : []),
        ...(figures.memory[1] > 1.15 * figures.memory[0] ? [`memory grew from ${figures.memory[0]} to ${figures.memory[1]} MB`] : []),
      ];
      return {
        markdown: `Two interpreters, small answers to sanitized MBPP.\n\n| | measured | wanted |\n|---|---|---|\n${rows.join("\n")}`,
        missed,
      };
    });
  },
};

// -- fuzz ------------------------------------------------------------------------------------------------------------------------

const FUZZED = 10_000;
const FUZZ_SEED = 7;

const fuzz: Step = {
  name: "fuzz",
  title: "Random and mutated programs",
  needs: ["sanitized-mbpp.json"],
  run: async ({ data, say }) => {
    const problems = load(data("sanitized-mbpp.json"));
    const stream = streamOf("verify/judge/fuzz");
    let drawn = 0;
    const draw = () => uniform(FUZZ_SEED, stream, drawn++);
    const requests = Array.from({ length: FUZZED }, (_, i) => {
      const problem = problems[i % problems.length]!;
      return judgeRequest(problem, i % 2 === 0 ? randomText(draw) : mutated(problem.solution ?? "", draw), 300);
    });
    const from = performance.now();
    const told = new Map<number, number>();
    const onVerdict = (index: number) => void told.set(index, (told.get(index) ?? 0) + 1);
    const verdicts = await withJudge(2, (judge) => judged(judge, requests, say, { onVerdict }));
    const counts: Record<string, number> = {};
    for (const { verdict } of verdicts) counts[verdict] = (counts[verdict] ?? 0) + 1;
    const once = [...told.values()].filter((times) => times === 1).length;
    const list = Object.entries(counts)
      .sort((a, b) => b[1] - a[1])
      .map(([kind, count]) => `${kind} ${count}`)
      .join(", ");
    const missed = [
      ...(once === FUZZED ? [] : [`${FUZZED - once} programs did not get exactly one verdict`]),
      ...(counts.infra_error ? [`${counts.infra_error} programs could not be judged`] : []),
    ];
    const seconds = Math.round((performance.now() - from) / 1000);
    return {
      markdown: `${FUZZED} programs, half of them random characters and half mutated solutions of sanitized MBPP, 300 ms each: ${once} got exactly one verdict, none hung, in ${seconds} s. ${list}.`,
      missed,
    };
  },
};

export const part: Part = {
  title: "The judge",
  about:
    "Made by `npm run verify -- judge`: Pyodide 314.0.7 in a headless Chromium on Linux, two cores. The data lie outside the repository (`--data DIR`).",
  steps: [hostile, escapes, ...agreements, exams, ...canonicals, speed, fuzz],
};
