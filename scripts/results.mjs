// npm run results -- FILE.json ...: the tables of docs/results/demo.md from the run.json files of runs, on stdout: a row for each
// run, and the failed answers by type, summed over the runs that are no control.
import { readFileSync } from "node:fs";
import { basename } from "node:path";

/**
 * @typedef {{ "pass@1": number, errors: Record<string, number> }} Evaluation
 * @typedef {{ method: string, seed: number, bestStep: number, adapter: { description: string }, config: { shuffle_verdicts: boolean },
 *   before: Evaluation, after: Evaluation, after_last: Evaluation, seconds: Record<string, number> }} Run
 */

/** @param {number} share */
const points = (share) => (100 * share).toFixed(1);

/** @param {Evaluation} evaluation */
const errorsOf = ({ errors }) => Object.values(errors).reduce((sum, count) => sum + count, 0);

/**
 * @param {string} file
 * @returns {Run}
 */
const readRun = (file) => JSON.parse(readFileSync(file, "utf8"));

/** @param {string} file */
function row(file) {
  const run = readRun(file);
  const { before, after, after_last: last, seconds } = run;
  const minutes = (seconds.exam + seconds.correction + seconds.quiz + seconds.evaluation) / 60;
  const method = run.config.shuffle_verdicts ? `${run.method}, verdicts shuffled` : run.method;
  return [
    `[${basename(file)}](${basename(file)})`,
    method,
    run.seed,
    points(before["pass@1"]),
    `**${points(after["pass@1"])}**`,
    `${after["pass@1"] >= before["pass@1"] ? "+" : ""}${points(after["pass@1"] - before["pass@1"])}`,
    points(last["pass@1"]),
    run.bestStep,
    `${Object.keys(before.errors).length}`,
    `${errorsOf(before)} → ${errorsOf(after)}`,
    `${minutes.toFixed(0)} min`,
  ].join(" | ");
}

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error("npm run results takes run.json files.");
  process.exit(2);
}
console.log("| run | method | seed | before | after (best) | gain | last | best step | error types before | failed answers | time |");
console.log("|---|---|---|---|---|---|---|---|---|---|---|");
for (const file of files) console.log(`| ${row(file)} |`);

/** @type {Record<string, [before: number, after: number]>} */
const types = {};
for (const { before, after } of files.map(readRun).filter((run) => !run.config.shuffle_verdicts)) {
  for (const [type, count] of Object.entries(before.errors)) (types[type] ??= [0, 0])[0] += count;
  for (const [type, count] of Object.entries(after.errors)) (types[type] ??= [0, 0])[1] += count;
}
console.log("\n| error type | before | after |\n|---|---|---|");
for (const [type, [before, after]] of Object.entries(types).sort(([, a], [, b]) => b[0] - a[0]))
  console.log(`| ${type} | ${before} | ${after} |`);
