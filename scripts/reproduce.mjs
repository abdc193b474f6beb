// npm run reproduce: every method of the paper with three seeds on one exam, and docs/results/paper.md from the runs' own files. What is
// done is not done again; what was stopped goes on.
//
//   npm run reproduce                                    all of it, on the embedded model
//   npm run reproduce -- --only ap2o-h2l --seeds 1       one method, one seed (with its tuning)
//   npm run reproduce -- --smoke --runs runs/look        the same plan in small: does it work here?
//   npm run reproduce -- --model DIR --problems mbpp.jsonl --preset paper --runs runs/mbpp
//     (--second MbppPlus.jsonl.gz for figure 7; on a software adapter a reduced table, in an hour or two: --only dpo,ap2o-l2h,ap2o-h2l
//     --seeds 1 --rates 2e-4 --prompt-style fence --set training_problems=12,exam_n=8,...)
//   npm run reproduce -- --report                        the tables and figures of what there is, nothing run
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { readRuns, writeReport } from "./paper_report.mjs";
import { GRIDS, METHODS, objectiveRuns, planDifferences, SETTINGS, TUNING_SEED, whyRuns } from "./reproduce_plan.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SECOND_SET = join(ROOT, "docs/results/paper/second_set.jsonl");

const HELP = `npm run reproduce -- [flags]
  --only A,B         these methods instead of all: ${METHODS.join(", ")}
  --seeds N          seeds 1 to N (3)
  --rates A,B        these learning rates instead of the preset's grid (${Object.entries(GRIDS)
    .map(([name, grid]) => `${name}: ${grid.join(", ")}`)
    .join("; ")})
  --preset NAME      demo, paper or smoke (demo)
  --smoke            as --preset smoke --seeds 2: everything in small
  --model PATH       another model (the embedded one); --problems FILE, --dtype NAME, --prompt-style NAME go with it
  --second FILE      another problem set for figure 7 (the embedded model has one of its own)
  --set NAME=VALUE   settings for every run, as errata run takes them
  --runs FOLDER      where the runs are kept (runs/reproduce, runs/reproduce-PRESET, ...); a folder holds runs of one plan
  --out FOLDER       where paper.md and its figures go (docs/results for the whole plan; where any flag asks for less or other: that folder)
  --report           only write the report of what there is`;

async function main() {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      seeds: { type: "string" },
      rates: { type: "string" },
      preset: { type: "string" },
      smoke: { type: "boolean", default: false },
      model: { type: "string" },
      problems: { type: "string" },
      dtype: { type: "string" },
      "prompt-style": { type: "string" },
      set: { type: "string" },
      second: { type: "string" },
      runs: { type: "string" },
      out: { type: "string" },
      report: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return console.log(HELP);
  const preset = values.smoke ? "smoke" : (values.preset ?? "demo");
  const grid = values.rates === undefined ? GRIDS[preset] : values.rates.split(",").map(Number);
  if (!grid) throw new RangeError(`--preset must be one of ${Object.keys(GRIDS).join(", ")}; found ${preset}.`);
  if (grid.some((rate) => !(rate > 0))) throw new RangeError(`--rates must be learning rates above 0; found ${values.rates}.`);
  const methods = values.only === undefined ? METHODS : values.only.split(",");
  const unknown = methods.find((method) => !METHODS.includes(method));
  if (unknown !== undefined) throw new RangeError(`--only must be of ${METHODS.join(", ")}; found ${unknown}.`);
  const seeds = Number(values.seeds ?? (values.smoke ? 2 : 3));
  if (!Number.isInteger(seeds) || seeds < 1) throw new RangeError(`--seeds must be a whole number, at least 1; found ${values.seeds}.`);
  const called = process.env.INIT_CWD ?? process.cwd();
  const path = (/** @type {string | undefined} */ name) => (name === undefined ? null : resolve(called, name));
  const runs = path(values.runs) ?? join(ROOT, "runs", preset === "demo" ? "reproduce" : `reproduce-${preset}`);
  const { report: _, ...asked } = values;
  const whole = Object.values(asked).every((value) => value === undefined || value === false); // nothing less and nothing else
  const out = path(values.out) ?? (whole ? join(ROOT, "docs", "results") : runs);
  const model = values.model === undefined ? [] : ["--model", resolve(called, values.model)];
  if (values.dtype !== undefined) model.push("--dtype", values.dtype);
  const problems = values.problems === undefined ? [] : ["--problems", resolve(called, values.problems)];
  const style = values["prompt-style"] === undefined ? [] : ["--prompt-style", values["prompt-style"]];
  const common = ["--preset", preset, ...model, ...problems, ...style];
  const settings = [...(SETTINGS[preset] ?? []), ...(values.set === undefined ? [] : values.set.split(","))];
  mkdirSync(runs, { recursive: true });
  keepPlan(runs, {
    preset,
    model: path(values.model),
    problems: path(values.problems),
    dtype: values.dtype ?? null,
    "prompt-style": values["prompt-style"] ?? null,
    set: values.set ?? null,
  });
  const second = path(values.second) ?? (values.model === undefined && values.problems === undefined ? SECOND_SET : null);
  const report = () => writeReport(runs, out, { preset, grid, model: values.model ?? null, second });
  if (values.report) return report();

  const work = new Work(runs, common, model, settings);
  // One method after the other: first its three rates with seed 1, then the other seeds with the best of them.
  let total = methods.length * (grid.length + seeds - 1);
  for (const method of methods) {
    for (const rate of grid) await work.run({ method, seed: TUNING_SEED, rate }, total);
    const rate = bestRate(runs, method, grid);
    for (let seed = TUNING_SEED + 1; seed <= seeds; seed++) await work.run({ method, seed, rate }, total);
    report();
  }
  if (values.only === undefined) {
    const direction = chosenDirection(runs, grid);
    const rate = bestRate(runs, direction, grid);
    const extras = preset === "demo" ? [...whyRuns(direction), ...objectiveRuns(direction)] : [];
    total += extras.length;
    for (const { name, flags = [], set = {} } of extras)
      await work.run({ method: direction, seed: TUNING_SEED, rate, name, flags, set }, total);
  }
  if (second !== null) {
    for (const method of methods) await work.evaluateSecondSet(second, method, bestRate(runs, method, grid), seeds);
  }
  report();
  process.stderr.write(`${join(out, "paper.md")} is written.\n`);
}

/** Runs jobs one after the other, and knows how long they take. */
class Work {
  #runs;
  #common;
  #model;
  #settings;
  #done = 0;
  /** @type {number[]} */
  #seconds = [];

  /**
   * @param {string} runs
   * @param {string[]} common flags of every run
   * @param {string[]} model those of them that name the model
   * @param {string[]} settings
   */
  constructor(runs, common, model, settings) {
    this.#runs = runs;
    this.#model = model;
    this.#common = common;
    this.#settings = settings;
  }

  /**
   * One run, unless it is finished.
   * @param {{ method: string, seed: number, rate: number, name?: string, flags?: string[], set?: Record<string, number> }} job
   * @param {number} total runs of the whole plan, for the time left
   */
  async run({ method, seed, rate, name = method, flags = [], set = {} }, total) {
    const folder = join(this.#runs, `${name}_seed${seed}_lr${rate}`);
    this.#done++;
    if (isFinished(folder)) return;
    const left = this.#seconds.length === 0 ? "" : `, about ${duration(mean(this.#seconds) * (total - this.#done + 1))} left`;
    process.stderr.write(`\n[${this.#done} of ${total}${left}] ${name}, seed ${seed}, learning rate ${rate}\n`);
    const settings = [...this.#settings, `learning_rate=${rate}`, ...Object.entries(set).map(([key, value]) => `${key}=${value}`)];
    const args = [
      "run",
      "--method",
      method,
      "--seed",
      String(seed),
      ...this.#common,
      ...flags,
      "--set",
      settings.join(","),
      "--out",
      folder,
    ];
    const exam = sharedExam(this.#runs);
    if (exam !== null) args.push("--exam", exam);
    if (existsSync(join(folder, "unfinished"))) args.push("--resume");
    const started = performance.now();
    const { status } = await errata(args);
    if (status !== 0 && !isFinished(folder))
      throw new Error(`${name}, seed ${seed}: errata run ended with status ${status}; the same command goes on.`);
    if (exam === null) writeFileSync(join(this.#runs, EXAM_FILE), `${basename(folder)}\n`);
    this.#seconds.push((performance.now() - started) / 1000);
  }

  /**
   * Figure 7: the model itself and its best adapters on problems of another kind.
   * @param {string} problems
   * @param {string} method
   * @param {number} rate
   * @param {number} seeds
   */
  async evaluateSecondSet(problems, method, rate, seeds) {
    /** @type {{ name: string, adapter: string | null, seed: number }[]} */
    const sittings = [{ name: `init_seed${TUNING_SEED}`, adapter: null, seed: TUNING_SEED }];
    for (let seed = 1; seed <= seeds; seed++) {
      const name = `${method}_seed${seed}_lr${rate}`;
      sittings.push({ name, adapter: join(this.#runs, name, "adapter"), seed });
    }
    for (const { name, adapter, seed } of sittings) {
      const folder = join(this.#runs, "second", basename(problems), name);
      if (existsSync(join(folder, "summary.json"))) continue;
      process.stderr.write(`\nsecond problem set: ${name}\n`);
      const { config } = JSON.parse(readFileSync(join(this.#runs, `${method}_seed${TUNING_SEED}_lr${rate}`, "run.json"), "utf8"));
      const manner = [
        "--prompt-style",
        config.prompt_style,
        "--max-new-tokens",
        config.max_new_tokens,
        "--timeout-ms",
        config.quiz_timeout_ms,
      ];
      const args = [
        "eval",
        ...this.#model,
        "--problems",
        problems,
        "-n",
        config.evaluation_n,
        ...manner,
        "--seed",
        seed,
        "--out",
        folder,
      ].map(String);
      const { status, stdout } = await errata(adapter === null ? args : [...args, "--adapter", adapter]);
      if (status !== 0) throw new Error(`errata eval ended with status ${status}; the same command goes on.`);
      writeFileSync(join(folder, "summary.json"), stdout);
    }
  }
}

/**
 * Writes down what a folder's runs are made with, or compares.
 * @param {string} runs
 * @param {import("./reproduce_plan.mjs").Plan} plan
 * @throws RangeError where the folder holds runs of another plan
 */
function keepPlan(runs, plan) {
  const file = join(runs, "plan.json");
  if (!existsSync(file)) return writeFileSync(file, `${JSON.stringify(plan, null, 2)}\n`);
  const different = planDifferences(JSON.parse(readFileSync(file, "utf8")), plan);
  if (different.length > 0)
    throw new RangeError(`${runs} holds runs of another plan (${different.join("; ")}): name another folder with --runs.`);
}

/** Names the run whose exam all the others share: the first one. */
const EXAM_FILE = "exam.txt";

/** @param {string} runs */
function sharedExam(runs) {
  const file = join(runs, EXAM_FILE);
  return existsSync(file) ? join(runs, readFileSync(file, "utf8").trim()) : null;
}

/**
 * The rate with the best quiz; of equally good ones the lowest.
 * @param {string} runs
 * @param {string} method
 * @param {number[]} grid
 */
function bestRate(runs, method, grid) {
  const tried = grid.flatMap((rate) =>
    readRuns(runs).filter((run) => run.name === method && run.seed === TUNING_SEED && run.rate === rate),
  );
  const best = tried.reduce((a, b) => (b.bestQuiz > a.bestQuiz ? b : a));
  return best.rate;
}

/**
 * The better of AP2O's two directions on validation, over all seeds.
 * @param {string} runs
 * @param {number[]} grid
 */
function chosenDirection(runs, grid) {
  const score = (/** @type {string} */ method) => {
    const rate = bestRate(runs, method, grid);
    return mean(
      readRuns(runs)
        .filter((run) => run.name === method && run.rate === rate)
        .map(({ bestQuiz }) => bestQuiz),
    );
  };
  return score("ap2o-h2l") >= score("ap2o-l2h") ? "ap2o-h2l" : "ap2o-l2h";
}

/**
 * Runs the command line; its progress goes through.
 * @param {string[]} args
 * @returns {Promise<{ status: number | null, stdout: string }>}
 */
function errata(args) {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [join(ROOT, "bin", "errata.mjs"), ...args], { stdio: ["ignore", "pipe", "inherit"] });
    let stdout = "";
    child.stdout.on("data", (chunk) => (stdout += chunk));
    child.on("error", failed);
    child.on("close", (status) => done({ status, stdout }));
  });
}

/** @param {number[]} values */
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** @param {number} seconds */
const duration = (seconds) => (seconds < 5400 ? `${Math.max(1, Math.round(seconds / 60))} min` : `${(seconds / 3600).toFixed(1)} h`);

/**
 * @param {string} folder
 */
function isFinished(folder) {
  const file = join(folder, "run.json");
  return existsSync(file) && !existsSync(join(folder, "unfinished")) && JSON.parse(readFileSync(file, "utf8")).finished === true;
}

try {
  await main();
} catch (error) {
  process.stderr.write(`reproduce: ${error instanceof Error ? error.message : error}\n`);
  const wrongFlag = error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
  process.exitCode = error instanceof RangeError || wrongFlag ? 2 : 1;
}
