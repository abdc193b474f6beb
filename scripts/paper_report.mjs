// docs/results/paper.md and its figures, from the files of the runs that npm run reproduce made.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { LABELS, METHODS, objectiveRuns, PAPER, PAPER_REPLAY, TUNING_SEED, whyRuns } from "./reproduce_plan.mjs";
import { barChart, lineChart } from "./svg_charts.mjs";

/**
 * @typedef {{ "pass@1": number, curve: number[], interval: [number, number], errors: Record<string, number>, n: number, problems: number }} Evaluation
 * @typedef {{ step: number, "pass@1": number, errors: Record<string, number> }} Quiz
 * @typedef {{ folder: string, name: string, method: string, seed: number, rate: number, bestQuiz: number, bestStep: number, steps: number,
 *   before: Evaluation, after: Evaluation, last: Evaluation, quizzes: Quiz[], diverged: boolean, seconds: number, batch: number,
 *   codeflow: { failures: number, passedByRound: number[], pairs: Record<string, number>, dropped: Record<string, number> } | null,
 *   adapter: string, model: string, training: number, allPairs: number }} FinishedRun
 * @typedef {{ name: string, label: string, rate: number, runs: FinishedRun[] }} Row
 */

/** @param {string} file */
const readLines = (file) =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));

/**
 * The finished runs of a folder.
 * @param {string} runs
 * @returns {FinishedRun[]}
 */
export function readRuns(runs) {
  const folders = readdirSync(runs).filter((name) => existsSync(join(runs, name, "run.json")) && /_seed\d+_lr/.test(name));
  return folders
    .map((name) => readRun(join(runs, name)))
    .filter((run) => run !== null)
    .sort((a, b) => a.folder.localeCompare(b.folder));
}

/**
 * @param {string} folder
 * @returns {FinishedRun | null}
 */
function readRun(folder) {
  const run = JSON.parse(readFileSync(join(folder, "run.json"), "utf8"));
  if (!run.finished) return null;
  /** @type {Quiz[]} */
  const quizzes = readLines(join(folder, "quizzes.jsonl"));
  const notebook = JSON.parse(readFileSync(join(folder, "notebook.json"), "utf8"));
  const { exam, analysis, correction, quiz, evaluation } = run.seconds;
  return {
    folder,
    name: basename(folder).replace(/_seed.*/, ""),
    method: run.method,
    seed: run.seed,
    rate: run.config.learning_rate,
    bestQuiz: Math.max(0, ...quizzes.filter(({ step }) => step > 0).map((one) => one["pass@1"])),
    bestStep: run.bestStep,
    steps: run.steps,
    before: run.before,
    after: run.after,
    last: run.after_last,
    quizzes,
    diverged: run.diverged !== undefined,
    seconds: exam + analysis + correction + quiz + evaluation,
    batch: run.config.batch_size,
    codeflow: run.codeflow ?? null,
    adapter: run.adapter.description || run.adapter.vendor,
    model: run.model.id,
    training: notebook.problems.length,
    allPairs: sum(notebook.problems.map((/** @type {{ passed: unknown[], failed: unknown[] }} */ p) => p.passed.length * p.failed.length)),
  };
}

/**
 * Writes paper.md and paper/*.svg.
 * @param {string} runs
 * @param {string} out
 * @param {{ preset: string, grid: number[], model: string | null, second: string | null }} plan
 */
export function writeReport(runs, out, { preset, grid, model, second }) {
  const all = readRuns(runs);
  const rows = METHODS.flatMap((name) => rowOf(all, name, grid));
  if (rows.length === 0) throw new Error(`${runs}: there is no finished run yet.`);
  const figures = join(out, "paper");
  mkdirSync(figures, { recursive: true });
  const figure = (/** @type {string} */ file, /** @type {string} */ alt, /** @type {string} */ svg) => {
    writeFileSync(join(figures, `${file}.svg`), svg);
    return `![${alt}](paper/${file}.svg)`;
  };
  const parts = [
    head(all, rows, preset, model),
    tableOne(rows),
    tuning(all, rows, grid),
    direction(rows),
    errorTypes(rows, figure),
    quizErrors(rows, figure),
    passCurves(rows, figure),
    efficiency(rows, figure),
    secondSet(runs, rows, figure, second),
    margins(rows, figure),
    ablation(rows),
    replayShare(all, rows),
    repairs(rows),
    reasons(all, rows, out),
  ];
  writeFileSync(join(out, "paper.md"), `${parts.filter((part) => part !== "").join("\n\n")}\n`);
}

/**
 * A method's runs at its best rate.
 * @param {FinishedRun[]} all
 * @param {string} name
 * @param {number[]} grid
 * @returns {Row[]}
 */
function rowOf(all, name, grid) {
  const tried = all
    .filter((run) => run.name === name && run.seed === TUNING_SEED && grid.includes(run.rate))
    .sort((a, b) => a.rate - b.rate);
  if (tried.length === 0) return [];
  const { rate } = tried.reduce((a, b) => (b.bestQuiz > a.bestQuiz ? b : a));
  return [{ name, label: LABELS[name] ?? name, rate, runs: all.filter((run) => run.name === name && run.rate === rate) }];
}

/** @param {FinishedRun[]} all @param {Row[]} rows @param {string} preset @param {string | null} model */
function head(all, rows, preset, model) {
  const [first] = rows[0]?.runs ?? [];
  if (!first) throw new Error("A row without runs.");
  const hours = sum(all.map(({ seconds }) => seconds)) / 3600;
  const seeds = Math.max(...rows.map(({ runs }) => runs.length));
  return `# The paper's tables, in miniature

Made by \`npm run reproduce\` from the runs' own files: ${all.length} runs, ${hours.toFixed(1)} hours on ${first.adapter}. Model ${first.model}${model === null ? " (the embedded one)" : ""}, preset ${preset}, one exam for all
runs (${first.training} training problems survive the filter), up to ${seeds} seeds, ${first.before.problems} evaluation problems that no run trained on, ${first.before.n} answers each at temperature 0.6. pass@1 in per cent, the mean over seeds ± the spread (standard
deviation). Brackets: 95 % by bootstrap over the problems, of the first seed. What is reported is the best checkpoint by the quiz; the last one stands beside it. The paper's figures are those of its models, thousands of times
larger and fine-tuned whole: what can be compared is the order of the methods, not the level.`;
}

/** @param {Row[]} rows */
function tableOne(rows) {
  const initial = rows.flatMap(({ runs }) => runs.map(({ before }) => before["pass@1"]));
  const lines = [
    `| Init | | ${points(mean(initial))} | | | ${meanErrors(rows.flatMap(({ runs }) => runs.map(({ before }) => before)))} |`,
    ...rows.map(({ label, rate, runs }) => {
      const best = runs.map(({ after }) => after["pass@1"]);
      const last = runs.map(({ last: evaluation }) => evaluation["pass@1"]);
      const interval = runs[0]?.after.interval.map(points).join(" to ");
      return `| ${label} | ${rate} | **${spread(best)}** [${interval}] | ${spread(last)} | ${signed(mean(best) - mean(runs.map(({ before }) => before["pass@1"])))} | ${meanErrors(runs.map(({ after }) => after))} |`;
    }),
  ];
  return `## Table 1: pass@1

| method | learning rate | best checkpoint | last checkpoint | gain | failed answers |
|---|---|---|---|---|---|
${lines.join("\n")}

${verdict(rows)}

${paperTable()}`;
}

/** What the paper reports for the same methods. */
function paperTable() {
  const names = ["init", ...METHODS].filter((name) => Object.values(PAPER).some((row) => row[name] !== undefined));
  const lines = Object.entries(PAPER).map(([what, row]) => `| ${what} | ${names.map((name) => row[name]?.toFixed(1)).join(" | ")} |`);
  return `The paper's pass@1, means of three trials (no spread is given; IterPref is another paper's):

| | ${names.map((name) => (name === "init" ? "Init" : LABELS[name])).join(" | ")} |
|---|${names.map(() => "---").join("|")}|
${lines.join("\n")}`;
}

/** What the table says about AP2O, in words that its numbers choose. @param {Row[]} rows */
function verdict(rows) {
  const score = (/** @type {Row} */ row) => mean(row.runs.map(({ after }) => after["pass@1"]));
  const ranked = [...rows].sort((a, b) => score(b) - score(a));
  const ours = ranked.filter(({ name }) => name === "ap2o-h2l" || name === "ap2o-l2h");
  const others = ranked.filter(({ name }) => ["sft", "dpo", "curri-dpo", "dyn-dpo"].includes(name));
  const [bestOurs, bestOther] = [ours[0], others[0]];
  if (!bestOurs || !bestOther) return `Best here: ${ranked[0]?.label}.`;
  const gap = score(bestOurs) - score(bestOther);
  const noise =
    Math.SQRT2 * Math.max(...[bestOurs, bestOther].map(({ runs }) => deviation(runs.map(({ after }) => after["pass@1"]))), 0.014);
  const relation =
    Math.abs(gap) < noise ? "are level, within the spread of seeds and problems:" : gap > 0 ? "AP2O wins:" : "AP2O does not win:";
  return `Best of AP2O and best of its baselines ${relation} ${bestOurs.label} ${points(score(bestOurs))}, ${bestOther.label} ${points(score(bestOther))}. In all: ${ranked.map((row) => `${row.label} ${points(score(row))}`).join(", ")}.`;
}

/** @param {FinishedRun[]} all @param {Row[]} rows @param {number[]} grid */
function tuning(all, rows, grid) {
  const lines = METHODS.flatMap((name) => {
    const cells = grid.map((rate) => {
      const run = all.find((one) => one.name === name && one.seed === TUNING_SEED && one.rate === rate);
      return run ? `${points(run.bestQuiz)}${run.diverged ? " (diverged)" : ""} / ${points(run.after["pass@1"])}` : "";
    });
    return cells.some((cell) => cell !== "") ? [`| ${LABELS[name]} | ${cells.join(" | ")} |`] : [];
  });
  return `## Tuning

The same learning rates for every method, with seed ${TUNING_SEED}: best quiz on validation, by which the rate is chosen / evaluation of that checkpoint, which decides nothing.
(The paper keeps SFT's checkpoint by the lowest validation loss; here the quiz decides for every method alike.)${atTheEdge(rows, grid)}

| method | ${grid.join(" | ")} |
|---|${grid.map(() => "---").join("|")}|
${lines.join("\n")}`;
}

/** Which methods might do better beyond the grid. @param {Row[]} rows @param {number[]} grid */
function atTheEdge(rows, grid) {
  const edges = grid.length < 2 ? [] : [Math.min(...grid), Math.max(...grid)];
  const there = rows.filter(({ rate }) => edges.includes(rate)).map(({ label, rate }) => `${label} (${rate})`);
  return there.length === 0 ? "" : ` Chosen at the grid's edge, beyond which a rate might do better: ${there.join(", ")}.`;
}

/** @param {Row[]} rows */
function direction(rows) {
  const [low, high] = ["ap2o-l2h", "ap2o-h2l"].map((name) => rows.find((row) => row.name === name));
  if (!low || !high) return "";
  const quiz = (/** @type {Row} */ row) => mean(row.runs.map(({ bestQuiz }) => bestQuiz));
  const chosen = quiz(high) >= quiz(low) ? high : low;
  return `**Direction, chosen on validation:** ${chosen.label} (best quizzes: H2L ${points(quiz(high))}, L2H ${points(quiz(low))}). On the evaluation problems: H2L ${spread(high.runs.map(({ after }) => after["pass@1"]))}, L2H ${spread(low.runs.map(({ after }) => after["pass@1"]))}.`;
}

/** @typedef {(file: string, alt: string, svg: string) => string} Figure */

/** @param {Row[]} rows @param {Figure} figure */
function errorTypes(rows, figure) {
  const before = meanCounts(rows.flatMap(({ runs }) => runs.map((run) => run.before.errors)));
  const after = rows.map(({ runs }) => meanCounts(runs.map((run) => run.after.errors)));
  const types = [...new Set([before, ...after].flatMap((counts) => Object.keys(counts)))].sort(
    (a, b) => (before[b] ?? 0) - (before[a] ?? 0),
  );
  const series = [
    { name: "Init", values: types.map((type) => before[type] ?? 0) },
    ...rows.map(({ label }, i) => ({ name: label, values: types.map((type) => after[i]?.[type] ?? 0) })),
  ];
  const changes = rows.map(({ label }, i) => {
    const introduced = types.filter((type) => !(before[type] ?? 0) && (after[i]?.[type] ?? 0) > 0);
    const grown = types.filter((type) => (before[type] ?? 0) > 0 && (after[i]?.[type] ?? 0) > (before[type] ?? 0));
    return `| ${label} | ${introduced.join(", ") || "none"} | ${grown.map((type) => `${type} ${before[type]?.toFixed(1)} → ${after[i]?.[type]?.toFixed(1)}`).join(", ") || "none"} |`;
  });
  const svg = barChart({
    title: "Failed answers by error type (mean over seeds, bars clipped at 50)",
    yLabel: "answers",
    groups: types,
    series,
    clip: 50,
  });
  return `## Figure 2: errors by type

${figure("figure2", "Failed answers by error type and method", svg)}

The paper's figure 2 clips at 50, too; its text says of 7B that H2L cuts WrongResult first while TimeoutError rises from 10 to 11: AP2O is not better for every type.

| method | types introduced (0 before) | types that grew |
|---|---|---|
${changes.join("\n")}`;
}

const PROGRESSIVE = ["ap2o-l2h", "ap2o-h2l", "ap2o-l2h-noreplay", "ap2o-h2l-noreplay"];

/** @param {Row[]} rows @param {Figure} figure */
function quizErrors(rows, figure) {
  const shown = rows.filter(({ name }) => PROGRESSIVE.includes(name));
  if (shown.length === 0) return "";
  const total = meanCounts(shown.flatMap(({ runs }) => runs.flatMap(({ quizzes }) => quizzes.map(({ errors }) => errors))));
  const types = Object.keys(total)
    .sort((a, b) => (total[b] ?? 0) - (total[a] ?? 0))
    .slice(0, 8);
  const panels = shown.map(({ label, runs }) => ({
    name: label,
    lines: types.map((type) => ({
      name: type,
      points: overSteps(runs.map(({ quizzes }) => quizzes.map(({ step, errors }) => [step, errors[type] ?? 0]))),
    })),
  }));
  const svg = lineChart({
    title: "Errors that the quiz found, by type (mean over seeds)",
    xLabel: "optimiser step",
    yLabel: "answers",
    panels,
    columns: 2,
  });
  return `## Figure 3: the quiz over training

${figure("figure3", "Quiz errors by type over training, both directions, with and without replay", svg)}

The paper's figure 3: H2L cuts WrongResult first, rare errors may rise, WrongResult comes back when the window has moved on, and replay brings both down.`;
}

/** @param {Row[]} rows @param {Figure} figure */
function passCurves(rows, figure) {
  const curve = (/** @type {Evaluation[]} */ evaluations) =>
    (evaluations[0]?.curve ?? []).map(
      (_, k) => /** @type {[number, number]} */ ([k + 1, 100 * mean(evaluations.map((one) => one.curve[k] ?? 0))]),
    );
  const lines = [
    { name: "Init", points: curve(rows.flatMap(({ runs }) => runs.map(({ before }) => before))) },
    ...rows.map(({ label, runs }) => ({ name: label, points: curve(runs.map(({ after }) => after)) })),
  ];
  const svg = lineChart({ title: "pass@k (mean over seeds)", xLabel: "k", yLabel: "per cent", panels: [{ name: "", lines }], zero: false });
  const table = lines.map(({ name, points: p }) => `| ${name} | ${[1, 5, 10].map((k) => p[k - 1]?.[1].toFixed(1) ?? "").join(" | ")} |`);
  return `## Figure 4: larger k

${figure("figure4", "pass@k for k from 1 to n", svg)}

| method | pass@1 | pass@5 | pass@10 |
|---|---|---|---|
${table.join("\n")}

In the paper's figure 4 AP2O stays ahead up to larger k.`;
}

/** @param {Row[]} rows @param {Figure} figure */
function efficiency(rows, figure) {
  const dpo = rows.find(({ name }) => name === "dpo");
  if (!dpo) return "";
  const used = ({ runs } = /** @type {Row} */ (dpo)) => mean(runs.map(({ bestStep, batch }) => bestStep * batch));
  const allPairs = mean(dpo.runs.map((run) => run.allPairs));
  const series = [
    { name: "% of all DPO pairs", values: rows.map((row) => (100 * used(row)) / allPairs) },
    { name: "% of DPO's pairs until its best quiz", values: rows.map((row) => (100 * used(row)) / used(dpo)) },
  ];
  const svg = barChart({
    title: "Pairs used until the best quiz",
    yLabel: "per cent",
    groups: rows.map(({ label }) => label),
    series,
    numbers: true,
  });
  return `## Figure 5: sample efficiency

${figure("figure5", "Pairs used until the best quiz, in per cent of DPO-Coder's", svg)}

DPO-Coder's pairs are ${allPairs.toFixed(0)} (all passed x failed); its best quiz came after ${used(dpo).toFixed(0)}. The paper: AP2O needs 4 % to 60 % of DPO's pairs. Here all methods take the same number of steps, so the first
denominator says how few of the pairs a demo can visit; only the second compares methods.`;
}

/** @param {string} runs @param {Row[]} rows @param {Figure} figure @param {string | null} second the file of problems */
function secondSet(runs, rows, figure, second) {
  if (second === null) return "";
  const scores = (/** @type {string[]} */ names) =>
    names
      .map((name) => join(runs, "second", basename(second), name, "summary.json"))
      .filter((file) => existsSync(file))
      .map((file) => JSON.parse(readFileSync(file, "utf8"))["pass@1"]);
  const sittings = [
    { label: "Init", names: [`init_seed${TUNING_SEED}`] },
    ...rows.map((row) => ({ label: row.label, names: row.runs.map(({ folder }) => basename(folder)) })),
  ];
  const entries = sittings.map(({ label, names }) => ({ label, values: scores(names) })).filter(({ values }) => values.length > 0);
  if (entries.length === 0) return "";
  const svg = barChart({
    title: "pass@1 on the second problem set",
    yLabel: "per cent",
    groups: entries.map(({ label }) => label),
    series: [{ name: "pass@1", values: entries.map(({ values }) => 100 * mean(values)) }],
    numbers: true,
  });
  return `## Figure 7: a second problem set

${figure("figure7", "pass@1 on a second problem set", svg)}

${aboutSecondSet(basename(second))} ${entries.map(({ label, values }) => `${label} ${spread(values)}`).join(", ")}.
The paper's figure 7 trains on TACO instead of MBPP and finds AP2O ahead there, too.`;
}

/** @param {string} file */
function aboutSecondSet(file) {
  if (file === "second_set.jsonl")
    return "60 problems of combinations that pre-training saw, with numbers and letters of their own (`paper/second_set.jsonl`, `tools/demo_model/second_set.py`).";
  if (/mbpp.?plus/i.test(file)) return `${file}: only the 224 problems that are neither trained on nor quizzed (ids 11 to 510).`;
  return `${file}: its evaluation problems.`;
}

/** @param {Row[]} rows @param {Figure} figure */
function margins(rows, figure) {
  const shown = rows.filter(({ name }) => name !== "sft");
  const metric = (/** @type {FinishedRun} */ run, /** @type {string} */ name) =>
    smooth(readLines(join(run.folder, "metrics.jsonl")).map((step) => /** @type {[number, number]} */ ([step.step, step[name]])));
  const panel = (/** @type {string} */ title, /** @type {string} */ name) => ({
    name: title,
    lines: shown.map(({ label, runs }) => ({ name: label, points: overSteps(runs.map((run) => metric(run, name))) })),
  });
  const panels = [
    panel("rewards/margins", "rewards/margins"),
    panel("rewards/chosen: chosen log-probabilities against the reference, times β", "rewards/chosen"),
  ];
  const svg = lineChart({
    title: "Reward margins and chosen rewards (mean over seeds, smoothed over 10 steps)",
    xLabel: "optimiser step",
    yLabel: "reward",
    panels,
  });
  const ends = shown.map(({ label, runs }) => {
    const at = (/** @type {string} */ name, /** @type {"first" | "last"} */ end) =>
      mean(runs.map((run) => (end === "first" ? metric(run, name)[9] : metric(run, name).at(-1))?.[1] ?? Number.NaN));
    return `| ${label} | ${at("rewards/margins", "first").toFixed(3)} → ${at("rewards/margins", "last").toFixed(3)} | ${at("rewards/chosen", "first").toFixed(3)} → ${at("rewards/chosen", "last").toFixed(3)} | ${at("logps/chosen", "first").toFixed(1)} → ${at("logps/chosen", "last").toFixed(1)} |`;
  });
  return `## Figure 8: reward margins, and what they hide

${figure("figure8", "Reward margins and chosen rewards over training", svg)}

| method | margins, step 10 → end | chosen rewards | chosen log-probabilities |
|---|---|---|---|
${ends.join("\n")}

The paper's figure 8 shows margins that rise faster with AP2O. Margins alone say little: where the chosen rewards fall below 0 the right answers get less likely, too (likelihood displacement), and the quiz decides. (IterPref's margin counts only the tokens that differ.)`;
}

/** @param {Row[]} rows */
function ablation(rows) {
  const lines = ["ap2o-l2h", "ap2o-h2l"].flatMap((name) => {
    const [on, off] = [name, `${name}-noreplay`].map((wanted) => rows.find((row) => row.name === wanted));
    if (!on || !off) return [];
    const [a, b] = [on, off].map(({ runs }) => runs.map(({ after }) => after["pass@1"]));
    const [with7, without7] = PAPER_REPLAY[/** @type {keyof typeof PAPER_REPLAY} */ (name)];
    return [
      `| ${on.label} | ${spread(a ?? [])} | ${spread(b ?? [])} | ${signed(mean(a ?? []) - mean(b ?? []))} | ${with7} → ${without7} |`,
    ];
  });
  if (lines.length === 0) return "";
  return `## Table 3: without replay

| | with replay | without | replay adds | paper: MBPP, 7B, with → without |
|---|---|---|---|---|
${lines.join("\n")}`;
}

/** @param {FinishedRun[]} all @param {Row[]} rows */
function replayShare(all, rows) {
  const entries = [
    ...rows.map(({ name, label, runs }) => ({ name, label: `${label} (paper's rule)`, runs })),
    ...all
      .filter(({ name }) => name.endsWith("-reference"))
      .map((run) => ({ name: run.method, label: `${LABELS[run.method]} (code's rule)`, runs: [run] })),
  ];
  const lines = entries
    .filter(({ name }) => name === "ap2o-h2l" || name === "ap2o-l2h")
    .map(({ label, runs }) => {
      const drawn = runs.flatMap((run) => {
        const firstQuiz = run.quizzes.find(({ step }) => step > 0)?.step ?? 0;
        return readLines(join(run.folder, "preferences.jsonl")).filter(({ step }) => step > firstQuiz);
      });
      const replayed = drawn.filter(({ source }) => source === "replay").length;
      return `| ${label} | ${drawn.length} | ${replayed} | ${points(replayed / drawn.length)} % |`;
    });
  if (lines.length === 0) return "";
  return `## Replay's share of the draws

After the first quiz that counts. The paper's rule replays as many answers as the window holds: half of the draws, less where a problem has none of the quiz's types. The public code's rule replays far more.

| method | draws | replayed | share |
|---|---|---|---|
${lines.join("\n")}

${comesBack(rows)}`;
}

/**
 * How replay answered to the quiz: for each type, how many more of its replay draws there were until the next quiz than until this one,
 * where the quiz found more of the type than the one before (`rose`), and where it found fewer (`fell`).
 * @param {readonly Quiz[]} quizzes of one run, the one before training first
 * @param {readonly { step: number, error_type: string }[]} replayed its pairs that came from replay
 * @returns {Map<string, { rose: number[], fell: number[] }>}
 */
export function replayChanges(quizzes, replayed) {
  const drawsAfter = (/** @type {number} */ i, /** @type {string} */ type) => {
    const [from, to] = [quizzes[i]?.step ?? 0, quizzes[i + 1]?.step ?? 0];
    return replayed.filter(({ step, error_type }) => step > from && step <= to && error_type === type).length;
  };
  const changes = new Map();
  // Nothing is replayed before the first quiz that counts, number 1: the second has draws before and after it.
  for (let i = 2; i + 1 < quizzes.length; i++) {
    const [before, now] = [quizzes[i - 1]?.errors ?? {}, quizzes[i]?.errors ?? {}];
    for (const type of new Set([...Object.keys(before), ...Object.keys(now)])) {
      const grown = (now[type] ?? 0) - (before[type] ?? 0);
      if (!changes.has(type)) changes.set(type, { rose: [], fell: [] });
      if (grown !== 0) changes.get(type)[grown > 0 ? "rose" : "fell"].push(drawsAfter(i, type) - drawsAfter(i - 1, type));
    }
  }
  return changes;
}

/** A type that comes back in a quiz is replayed more until the next. @param {Row[]} rows */
function comesBack(rows) {
  const runs = rows.filter(({ name }) => name === "ap2o-h2l" || name === "ap2o-l2h").flatMap((row) => row.runs);
  const all = runs.map(({ folder, quizzes }) =>
    replayChanges(
      quizzes,
      readLines(join(folder, "preferences.jsonl")).filter(({ source }) => source === "replay"),
    ),
  );
  const types = [...new Set(all.flatMap((changes) => [...changes.keys()]))];
  const change = (/** @type {string[]} */ wanted, /** @type {"rose" | "fell"} */ way) => {
    const values = all.flatMap((changes) => wanted.flatMap((type) => changes.get(type)?.[way] ?? []));
    return values.length === 0 ? "" : `${mean(values) >= 0 ? "+" : ""}${mean(values).toFixed(2)} (${values.length} times)`;
  };
  const line = (/** @type {string} */ name, /** @type {string[]} */ wanted) =>
    `| ${name} | ${change(wanted, "rose")} | ${change(wanted, "fell")} |`;
  const lines = [line("all", types), ...types.map((type) => line(type, [type]))].filter((text) => text.includes("times"));
  if (lines.length === 0) return "";
  return `What comes back is replayed more: by how much the replay draws of a type changed from one quiz interval to the next (the window moves meanwhile, too).

| type | where the quiz between found more of it | where it found fewer |
|---|---|---|
${lines.join("\n")}`;
}

/** @param {Row[]} rows */
function repairs(rows) {
  const runs = rows.find(({ name }) => name === "iterpref")?.runs ?? [];
  const lines = runs.flatMap(({ seed, codeflow }) =>
    codeflow
      ? [
          `| ${seed} | ${codeflow.failures} | ${codeflow.passedByRound.join(", ")} | ${codeflow.pairs.codeflow} | ${codeflow.pairs.fallback} | ${
            Object.entries(codeflow.dropped)
              .map(([reason, count]) => `${reason} ${count}`)
              .join(", ") || "none"
          } |`,
        ]
      : [],
  );
  if (lines.length === 0) return "";
  const repaired = sum(runs.map(({ codeflow }) => codeflow?.pairs.codeflow ?? 0));
  const made = repaired + sum(runs.map(({ codeflow }) => codeflow?.pairs.fallback ?? 0));
  return `## CodeFlow: what the model repairs itself

| seed | failed answers | passed after round 1, 2, ... | pairs of repairs | fall-back pairs | dropped |
|---|---|---|---|---|---|
${lines.join("\n")}

Of the pairs ${points(repaired / made)} % are of repairs; the rest pairs a failed answer with the passed answer of the exam that is nearest to it. (The embedded model never saw a prompt with a failed answer and an error message before it, and breaks its syntax over it.) The paper has a large model repair.`;
}

/** @param {FinishedRun[]} all @param {Row[]} rows @param {string} out */
function reasons(all, rows, out) {
  const sections = ["ap2o-h2l", "ap2o-l2h"].flatMap((direction) => {
    const plain = rows.find(({ name }) => name === direction)?.runs.find(({ seed }) => seed === TUNING_SEED);
    if (!plain) return [];
    /** @param {{ name: string, about: string }[]} wanted */
    const table = (wanted) => {
      const variants = wanted.flatMap(({ name, about }) => all.filter((run) => run.name === name).map((run) => ({ run, about })));
      if (variants.length === 0) return "";
      const lines = [{ run: plain, about: `as in table 1 (${LABELS[direction]})` }, ...variants].map(
        ({ run, about }) =>
          `| ${about} | ${epochsOf(run).toFixed(1)} | ${points(run.bestQuiz)} | ${points(run.after["pass@1"])} | ${run === plain ? "" : signed(run.after["pass@1"] - plain.after["pass@1"])} | ${points(run.last["pass@1"])} |`,
      );
      return `| run | epochs | best quiz | best checkpoint | against table 1 | last checkpoint |\n|---|---|---|---|---|---|\n${lines.join("\n")}`;
    };
    const [why, objectives] = [table(whyRuns(direction)), table(objectiveRuns(direction))];
    return [
      ...(why === ""
        ? []
        : [
            `## Why: windows, epochs, rules

Seed ${TUNING_SEED}, the chosen direction and rate. A window holds (failed answers of the problem) / epochs: with few epochs it is several answers wide, and the order by types is coarse. The paper's 200 epochs make every window one answer wide.

${why}`,
          ]),
      ...(objectives === ""
        ? []
        : [`## Other objectives on the same data\n\nSeed ${TUNING_SEED}, the same pairs and rate; β 0.1 unless told.\n\n${objectives}`]),
    ];
  });
  const conclusion = join(out, "paper", "conclusion.md"); // written by hand after reading the rest
  if (existsSync(conclusion)) sections.push(`## What follows\n\n${readFileSync(conclusion, "utf8").trim()}`);
  return sections.join("\n\n");
}

/** @param {FinishedRun} run */
const epochsOf = ({ steps, batch, training }) => (steps * batch) / training;

/** @param {number[]} values */
const sum = (values) => values.reduce((total, value) => total + value, 0);

/** @param {number[]} values */
const mean = (values) => sum(values) / values.length;

/** Of a sample; 0 for a single value. @param {number[]} values */
const deviation = (values) =>
  values.length < 2 ? 0 : Math.sqrt(sum(values.map((value) => (value - mean(values)) ** 2)) / (values.length - 1));

/** @param {number} share */
const points = (share) => (100 * share).toFixed(1);

/** @param {number} share */
const signed = (share) => `${share >= 0 ? "+" : ""}${points(share)}`;

/** @param {number[]} shares */
const spread = (shares) => (shares.length < 2 ? points(mean(shares)) : `${points(mean(shares))} ± ${points(deviation(shares))}`);

/** @param {Evaluation[]} evaluations */
const meanErrors = (evaluations) => mean(evaluations.map(({ errors }) => sum(Object.values(errors)))).toFixed(0);

/** @param {Record<string, number>[]} all @returns {Record<string, number>} */
function meanCounts(all) {
  const types = [...new Set(all.flatMap((counts) => Object.keys(counts)))];
  return Object.fromEntries(types.map((type) => [type, sum(all.map((counts) => counts[type] ?? 0)) / all.length]));
}

/** Means over runs, step by step. @param {number[][][]} runs @returns {[number, number][]} */
function overSteps(runs) {
  const steps = (runs[0] ?? []).map(([step]) => step ?? 0);
  return steps.map((step) => [
    step,
    mean(runs.flatMap((points) => points.filter(([at]) => at === step).map(([, value]) => value ?? Number.NaN))),
  ]);
}

/** Means over ten steps. @param {[number, number][]} points @returns {[number, number][]} */
function smooth(points) {
  return points.map(([step], i) => [step, mean(points.slice(Math.max(0, i - 9), i + 1).map(([, value]) => value))]);
}
