// docs/results/paper.md from runs on disk: its figures are those of their files.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { readRuns, replayChanges, writeReport } from "../../scripts/paper_report.mjs";
import { planDifferences } from "../../scripts/reproduce_plan.mjs";
import { barChart, lineChart, ticks } from "../../scripts/svg_charts.mjs";
import { fakeRunFiles } from "../ap2o/fake_run.ts";

const runs = mkdtempSync(join(tmpdir(), "errata-reproduce-"));
const out = join(runs, "out");
const GRID = [0.002, 0.004];

async function addRun(name: string, method: string, seed: number, learning_rate: number, overrides = {}): Promise<void> {
  const files = await fakeRunFiles(method, { seed, learning_rate, ...overrides });
  const folder = join(runs, `${name}_seed${seed}_lr${learning_rate}`);
  mkdirSync(folder);
  const run = { ...JSON.parse(files["run.json"]!), model: { id: "fake" }, adapter: { description: "no GPU", vendor: "" } };
  const rewards = { "rewards/margins": 0.2, "rewards/chosen": 0.1, "logps/chosen": -3 }; // the fake has none
  const metrics = files["metrics.jsonl"]!.replace(/^\{.*$/gm, (line) => JSON.stringify({ ...JSON.parse(line), ...rewards }));
  for (const [file, text] of Object.entries({ ...files, "run.json": JSON.stringify(run), "metrics.jsonl": metrics }))
    writeFileSync(join(folder, file), text);
}

beforeAll(async () => {
  for (const method of ["dpo", "ap2o-h2l", "ap2o-l2h", "ap2o-h2l-noreplay", "iterpref"]) {
    for (const rate of GRID) await addRun(method, method, 1, rate);
    await addRun(method, method, 2, 0.002);
    await addRun(method, method, 2, 0.004);
  }
  await addRun("ap2o-h2l-reference", "ap2o-h2l", 1, 0.002, { rule: "reference" });
  await addRun("ap2o-h2l-ipo", "ap2o-h2l", 1, 0.002, { loss_type: "ipo" });
  for (const rate of GRID) {
    const folder = join(runs, "second", "MbppPlus.jsonl.gz", `dpo_seed1_lr${rate}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "summary.json"), `{"pass@1":${rate === dpoRate() ? 0.4375 : 0.1}}`);
  }
  writeReport(runs, out, { preset: "smoke", grid: GRID, model: null, second: "elsewhere/MbppPlus.jsonl.gz" });
});

/** The rate that DPO's quiz chooses; of equally good ones the lowest. */
function dpoRate(): number {
  const tried = readRuns(runs).filter(({ name, seed }) => name === "dpo" && seed === 1);
  return tried.sort((a, b) => b.bestQuiz - a.bestQuiz || a.rate - b.rate)[0]!.rate;
}

const paper = () => readFileSync(join(out, "paper.md"), "utf8");

test("every figure and table of the paper that the runs allow", () => {
  for (const title of ["Table 1", "Tuning", "Direction", "Figure 2", "Figure 3", "Figure 4", "Figure 5", "Figure 7", "Figure 8", "Table 3"])
    expect(paper()).toContain(title);
  for (const title of ["Replay's share", "CodeFlow", "Why: windows", "Other objectives"]) expect(paper()).toContain(title);
  expect(readdirSync(join(out, "paper")).sort()).toEqual(
    ["figure2", "figure3", "figure4", "figure5", "figure7", "figure8"].map((name) => `${name}.svg`),
  );
  for (const [, file] of paper().matchAll(/\]\((paper\/[^)]+)\)/g)) expect(existsSync(join(out, file!))).toBe(true);
  expect(paper()).not.toMatch(/NaN|undefined|Infinity/);
});

test("table 1: the mean and the spread over the seeds of the rate that the quiz chose", () => {
  const dpo = readRuns(runs).filter(({ name }) => name === "dpo");
  const scores = dpo.filter(({ rate }) => rate === dpoRate()).map(({ after }) => 100 * after["pass@1"]);
  const mean = (scores[0]! + scores[1]!) / 2;
  const spread = Math.abs(scores[0]! - scores[1]!) / Math.SQRT2;
  expect(paper()).toContain(`| DPO-Coder | ${dpoRate()} | **${mean.toFixed(1)} ± ${spread.toFixed(1)}**`);
  expect(paper()).toContain("| MBPP, Qwen2.5-Coder 0.5B | 50.8 | 55.4 | 51.9 | 50.9 | 55.0 | 56.7 | 51.5 |"); // the paper's, beneath
  expect(paper()).toContain(`at the grid's edge, beyond which a rate might do better: DPO-Coder (${dpoRate()})`);
});

test("replay's share is counted from the pairs after the first quiz", () => {
  const rows = readRuns(runs).filter(({ name, rate }) => name === "ap2o-h2l" && rate === 0.002);
  expect(paper()).toMatch(new RegExp(`AP2O \\(H2L\\) \\(paper's rule\\) \\| ${rows.length * 10 * 8} \\|`));
  expect(paper()).toContain("AP2O (H2L) (code's rule)");
});

test("what a quiz finds more of is replayed more: draws until the next quiz against those before", () => {
  const quiz = (step: number, A: number, B: number) => ({ step, "pass@1": 0, errors: { A, B } });
  const quizzes = [quiz(0, 9, 9), quiz(2, 1, 5), quiz(4, 3, 5), quiz(6, 2, 9)];
  const drawn = [
    [3, "A"],
    [5, "A"],
    [5, "A"],
    [6, "A"],
    [6, "B"],
    [7, "A"],
  ] as const; // the last two intervals are (2, 4] and (4, 6]
  const changes = replayChanges(
    quizzes,
    drawn.map(([step, error_type]) => ({ step, error_type })),
  );
  expect(changes.get("A")).toEqual({ rose: [2], fell: [] });
  expect(changes.get("B")).toEqual({ rose: [], fell: [] });
});

test("the second set's summary is taken as it is, of the table's runs", () => {
  expect(paper()).toContain("MbppPlus.jsonl.gz: only the 224 problems");
  expect(paper()).toContain("DPO-Coder 43.8.");
});

test("a folder's plan is compared by its values, names and all", () => {
  const plan = { preset: "demo", model: null, set: null };
  expect(planDifferences({ ...plan }, plan)).toEqual([]);
  expect(planDifferences({ preset: "demo" }, { ...plan, model: "m", set: "steps=4" })).toEqual([
    "model: none, here m",
    "set: none, here steps=4",
  ]);
});

test("ticks are round and inside", () => {
  expect(ticks(0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(ticks(-0.3, 47)).toEqual([0, 10, 20, 30, 40]);
});

test("charts are well-formed XML, with markup in names escaped", () => {
  const lines = [
    {
      name: "<a & b>",
      points: [
        [1, 2],
        [2, Number.NaN],
        [3, 1],
      ] as [number, number][],
    },
  ];
  const svg = lineChart({ title: "T", xLabel: "x", yLabel: "y", panels: [{ name: "p", lines }] });
  expect(svg).toContain("&lt;a &amp; b&gt;");
  expect(svg).not.toContain("NaN");
  const bars = barChart({ title: "T", yLabel: "y", groups: ["one", "two"], series: [{ name: "s", values: [70, 3] }], clip: 50 });
  expect(bars.match(/<rect /g)).toHaveLength(3); // the ground and two bars
  expect(bars).toContain(">70<"); // clipped: its number stands above
});
