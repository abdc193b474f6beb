// An independent check of a run: everything that follows from its files is worked out anew here, by other code than the product's
// (which is not imported), and compared with what the files say.
//
//   node test/ap2o/check_run.mjs RUN
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { argv, exit } from "node:process";
import { pathToFileURL } from "node:url";

/** @typedef {Record<string, any>} Row */

const M = [0xd2511f53n, 0xcd9e8d57n];
const W = [0x9e3779b9n, 0xbb67ae85n];
const MASK = 0xffffffffn;

/** Philox 4x32-10 by big integers. @param {bigint[]} counter @param {bigint[]} key */
function philox(counter, key) {
  let [c0 = 0n, c1 = 0n, c2 = 0n, c3 = 0n] = counter;
  let [k0 = 0n, k1 = 0n] = key;
  for (let round = 0; round < 10; round++) {
    const [p, q] = [(M[0] ?? 0n) * c0, (M[1] ?? 0n) * c2];
    [c0, c1, c2, c3] = [(q >> 32n) ^ c1 ^ k0, q & MASK, (p >> 32n) ^ c3 ^ k1, p & MASK];
    [k0, k1] = [(k0 + (W[0] ?? 0n)) & MASK, (k1 + (W[1] ?? 0n)) & MASK];
  }
  return [c0, c1];
}

/** FNV-1a. @param {string} name */
function stream(name) {
  let hash = 0x811c9dc5n;
  for (const letter of name) hash = ((hash ^ BigInt(letter.charCodeAt(0))) * 0x01000193n) & MASK;
  return hash;
}

/** 53 bits in [0, 1). @param {number} seed @param {string} name @param {number} index */
function uniform(seed, name, index) {
  const [a = 0n, b = 0n] = philox([BigInt(index) & MASK, BigInt(index) >> 32n, 0n, 0n], [BigInt(seed), stream(name)]);
  return Number(((a >> 5n) << 26n) | (b >> 6n)) / 2 ** 53;
}

/** @param {number} seed @param {string} name @param {number} index @param {number} n */
const below = (seed, name, index, n) => Math.floor(uniform(seed, name, index) * n);

/** Fisher-Yates from the end. @template T @param {T[]} items @param {number} seed @param {string} name @returns {T[]} */
function shuffle(items, seed, name) {
  const out = items.slice();
  for (let last = out.length - 1, draw = 0; last > 0; last--, draw++) {
    const other = below(seed, name, draw, last + 1);
    const kept = /** @type {T} */ (out[last]);
    out[last] = /** @type {T} */ (out[other]);
    out[other] = kept;
  }
  return out;
}

/** 1 - C(n - c, k) / C(n, k), by whole numbers. @param {number} n @param {number} c @param {number} k */
export function passAtK(n, c, k) {
  const choose = (/** @type {number} */ a, /** @type {number} */ b) => {
    let value = 1n;
    for (let i = 0; i < b; i++) value = (value * BigInt(a - i)) / BigInt(i + 1);
    return b > a ? 0n : value;
  };
  const digits = 10n ** 18n;
  return 1 - Number((choose(n - c, k) * digits) / choose(n, k)) / 1e18;
}

/** @param {Row[]} answers @returns {Record<string, number>} */
function errorCounts(answers) {
  /** @type {Record<string, number>} */
  const counts = {};
  for (const { error_type } of answers) if (error_type !== "") counts[error_type] = (counts[error_type] ?? 0) + 1;
  return counts;
}

/** @param {unknown} value @returns {string} */
const sorted = (value) =>
  JSON.stringify(value, (_, part) =>
    part && typeof part === "object" && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).sort()) : part,
  );

/**
 * @param {Record<string, string>} files run.json, samples.jsonl ... by name
 * @returns {{ problems: string[], checked: Record<string, number> }} what does not agree (at most a few of each kind), and how much was compared
 */
export function checkRun(files) {
  const run = JSON.parse(files["run.json"] ?? "");
  const lines = (/** @type {string} */ name) =>
    (files[name] ?? "")
      .split("\n")
      .filter(Boolean)
      .map((line) => /** @type {Row} */ (JSON.parse(line)));
  const notebook = JSON.parse(files["notebook.json"] ?? "");
  const { config, method, seed } = run;
  /** @type {string[]} */
  const problems = [];
  /** @type {Record<string, number>} */
  const checked = {};
  const same = (/** @type {string} */ what, /** @type {unknown} */ found, /** @type {unknown} */ expected) => {
    const kind = what.replace(/[\d.]+/g, "N").replace(/\S+\/\S+/g, "P");
    checked[kind] = (checked[kind] ?? 0) + 1;
    const equal =
      typeof found === "number" && typeof expected === "number" ? Math.abs(found - expected) < 1e-9 : sorted(found) === sorted(expected);
    if (!equal && problems.length < 20)
      problems.push(`${what}: the files say ${sorted(found)?.slice(0, 200)}, worked out ${sorted(expected)?.slice(0, 200)}`);
  };

  // Answers: every sample has its result.
  const keyOf = (/** @type {Row} */ row) => `${row.phase} ${row.step} ${row.task_id} ${row.sample_index}`;
  const results = new Map(lines("results.jsonl").map((row) => [keyOf(row), row]));
  const answers = /** @type {Row[]} */ (lines("samples.jsonl").map((row) => ({ ...row, ...results.get(keyOf(row)) })));
  same("samples with a result", answers.filter((row) => "verdict" in row).length, results.size);
  const byTask = (/** @type {string} */ phase) => {
    /** @type {Map<string, Row[]>} */
    const tasks = new Map();
    for (const row of answers) if (row.phase === phase) tasks.set(row.task_id, [...(tasks.get(row.task_id) ?? []), row]);
    return tasks;
  };

  // pass@k and error counts.
  for (const phase of ["exam", "before", "after", "after_last"]) {
    const told = run[phase];
    if (!told) continue;
    const judged = [...byTask(phase).values()]
      .map((rows) => rows.filter(({ verdict }) => verdict !== "infra_error"))
      .filter((rows) => rows.length > 0);
    same(`${phase}.errors`, told.errors, errorCounts(judged.flat()));
    same(`${phase}.problems`, told.problems, judged.length);
    const n = Math.min(...judged.map((rows) => rows.length));
    same(`${phase}.n`, told.n, n);
    const at = (/** @type {number} */ k) =>
      judged.reduce((sum, rows) => sum + passAtK(rows.length, rows.filter(({ verdict }) => verdict === "pass").length, k), 0) /
      judged.length;
    for (let k = 1; k <= n; k++) same(`${phase}.curve at ${k}`, told.curve[k - 1], at(k));
    for (const k of [1, 5, 10]) if (n >= k) same(`${phase}.pass@${k}`, told[`pass@${k}`], at(k));
  }

  // The notebook.
  const exam = byTask("exam");
  /** @type {(row: Row) => string} */
  const typeOf = (row) => (config.rule === "reference" && row.verdict === "exit" ? "TypeError" : row.error_type);
  if (!config.shuffle_verdicts) checkNotebook(notebook, exam, config, typeOf, same);

  // Quizzes: replay shares, and the best step.
  const quizzes = lines("quizzes.jsonl");
  const replays = method === "ap2o-h2l" || method === "ap2o-l2h";
  for (const { step, errors, replay, ...quiz } of quizzes) {
    const judged = answers.filter((row) => row.phase === "quiz" && row.step === step && row.verdict !== "infra_error");
    const rates = [...new Set(judged.map(({ task_id }) => task_id))].map((task) => {
      const own = judged.filter(({ task_id }) => task_id === task);
      return own.filter(({ verdict }) => verdict === "pass").length / own.length;
    });
    same(`quiz ${step} pass@1`, quiz["pass@1"], rates.reduce((sum, rate) => sum + rate, 0) / rates.length);
    same(`quiz ${step} errors`, errors, errorCounts(judged.map((row) => ({ error_type: typeOf(row) }))));
    const total = Object.values(errors).reduce((sum, count) => sum + count, 0);
    const shares = Object.fromEntries(Object.entries(errors).map(([type, count]) => [type, count / total]));
    same(`quiz ${step} replay`, replay, step > 0 && replays ? shares : {});
  }
  const counting = quizzes.filter(({ step }) => step > 0);
  if (counting.length > 0) same("bestStep", run.bestStep, counting.reduce((a, b) => (b["pass@1"] > a["pass@1"] ? b : a)).step);

  // The pairs.
  const preferences = lines("preferences.jsonl");
  same("steps", lines("metrics.jsonl").length, run.steps);
  const whole = config.pairs_per_epoch === "window" ? wholeWindowRows({ notebook, config, method, seed, quizzes, steps: run.steps }) : null;
  same("pairs", preferences.length, whole ? whole.length : run.steps * config.batch_size);
  const tried = new Map([...exam.values(), ...byTask("repair").values()].flat().map((row) => [`${row.task_id} ${row.sample_index}`, row]));
  const expected = whole
    ? (/** @type {number} */ index) => whole[index] ?? {}
    : drawsOf({ notebook, config, method, seed, quizzes, totalSteps: run.totalSteps });
  if (method.startsWith("ap2o")) {
    const windows = whole ? config.epochs : Math.max(1, Math.ceil((run.totalSteps * config.batch_size) / notebook.problems.length));
    same("epochs", run.epochs, windows);
  }
  preferences.forEach((pair, index) => {
    const where = `pair ${index}`;
    if (!whole) same(`${where} step`, pair.step, Math.floor(index / config.batch_size) + 1);
    same(`${where} number and seed`, [pair.pair, pair.seed], [whole ? whole[index]?.pair : index, seed]);
    const chosen = tried.get(`${pair.task_id} ${pair.chosen_index}`);
    same(`${where} chosen text`, pair.chosen, chosen?.completion);
    if (!config.shuffle_verdicts) same(`${where} chosen verdict`, [chosen?.verdict, chosen?.ended === "length"], ["pass", false]);
    if (pair.rejected_index !== undefined) {
      const rejected = tried.get(`${pair.task_id} ${pair.rejected_index}`);
      same(`${where} rejected text`, pair.rejected, rejected?.completion);
      if (rejected && !config.shuffle_verdicts) same(`${where} error_type`, pair.error_type, typeOf(rejected));
    }
    if (!expected) return;
    const draw = expected(index);
    for (const [key, value] of Object.entries(draw)) same(`${where} ${key}`, pair[key], value);
  });
  return { problems, checked };
}

/**
 * @param {Row} notebook @param {Map<string, Row[]>} exam @param {Row} config @param {(row: Row) => string} typeOf
 * @param {(what: string, found: unknown, expected: unknown) => void} same
 */
function checkNotebook(notebook, exam, config, typeOf, same) {
  const tasks = [...exam].map(([task_id, rows]) => {
    const judged = rows.filter(({ verdict }) => verdict !== "infra_error");
    const seen = new Set();
    const distinct = judged.filter(({ solution }) => !seen.has(solution) && seen.add(solution));
    return {
      task_id,
      counts: errorCounts(judged.map((row) => ({ error_type: typeOf(row) }))),
      passed: distinct.filter((row) => row.error_type === "" && row.ended !== "length"),
      failed: distinct.filter((row) => row.error_type !== ""),
    };
  });
  /** @type {Record<string, number>} */
  const corpus = {};
  for (const { counts } of tasks) for (const [type, count] of Object.entries(counts)) corpus[type] = (corpus[type] ?? 0) + count;
  same("notebook.counts", notebook.counts, corpus);
  const kept = tasks.filter(({ passed, failed }) => passed.length >= (config.rule === "reference" ? 2 : 1) && failed.length >= 2);
  same(
    "notebook.problems",
    notebook.problems.map((/** @type {Row} */ p) => p.task_id),
    kept.map(({ task_id }) => task_id),
  );
  same("notebook.dropped", notebook.dropped.length, tasks.length - kept.length);
  for (const { task_id, counts, passed, failed } of tasks) {
    const told = [...notebook.problems, ...notebook.dropped].find((/** @type {Row} */ p) => p.task_id === task_id);
    const frequency = config.scope === "corpus" ? corpus : counts;
    const rows = failed.map((row) => ({ sample_index: row.sample_index, error_type: typeOf(row) }));
    same(`${task_id} counts`, told.counts, counts);
    same(`${task_id} passed`, told.passed, "reason" in told ? undefined : passed.map(({ sample_index }) => sample_index));
    same(`${task_id} failed`, told.failed, ordered(rows, frequency, config.rule, false));
  }
}

/**
 * Failed answers by frequency: the paper's rule type by type, the code's a stable sort.
 * @param {{ sample_index: number, error_type: string }[]} rows in the order of the exam
 * @param {Record<string, number>} frequency @param {string} rule @param {boolean} descending
 */
function ordered(rows, frequency, rule, descending) {
  const of = (/** @type {string} */ type) => (descending ? -1 : 1) * (frequency[type] ?? 0);
  if (rule === "reference") {
    const levels = [...new Set(rows.map(({ error_type }) => of(error_type)))].sort((a, b) => a - b);
    return levels.flatMap((level) => rows.filter(({ error_type }) => of(error_type) === level));
  }
  const types = [...new Set(rows.map(({ error_type }) => error_type))];
  const levels = [...new Set(types.map(of))].sort((a, b) => a - b);
  return levels.flatMap((level) =>
    types.filter((type) => of(type) === level).flatMap((type) => rows.filter(({ error_type }) => error_type === type)),
  );
}

/**
 * What each pair must be, or null for IterPref, whose pairs the notebook does not determine.
 * @param {{ notebook: Row, config: Row, method: string, seed: number, quizzes: Row[], totalSteps: number }} run
 * @returns {((index: number) => Row) | null}
 */
function drawsOf({ notebook, config, method, seed, quizzes, totalSteps }) {
  /** @type {Row[]} */
  const list = notebook.problems;
  if (method === "iterpref") return null;
  if (method === "dpo" || method === "curri-dpo") return staticDraws(list, notebook.counts, method, seed, config.rule);
  const batch = config.batch_size;
  const problemOf = (/** @type {number} */ index) => {
    const order = shuffle([...list.keys()], seed, `draw/problems/${Math.floor(index / list.length)}`);
    return /** @type {Row} */ (list[/** @type {number} */ (order[index % list.length])]);
  };
  const chosenOf = (/** @type {number} */ index, /** @type {Row} */ problem) =>
    problem.passed[below(seed, "draw/chosen", index, problem.passed.length)];
  if (method === "sft")
    return (index) => ({
      task_id: problemOf(index).task_id,
      chosen_index: chosenOf(index, problemOf(index)),
      epoch: index / list.length,
      probability: 1 / problemOf(index).passed.length,
    });
  if (method === "dyn-dpo")
    return (index) => {
      const problem = problemOf(index);
      const rejected = problem.failed[below(seed, "draw/rejected", index, problem.failed.length)];
      return {
        task_id: problem.task_id,
        chosen_index: chosenOf(index, problem),
        rejected_index: rejected.sample_index,
        epoch: index / list.length,
        probability: 1 / problem.failed.length,
      };
    };
  const epochs = Math.max(1, Math.ceil((totalSteps * batch) / list.length)); // as run.json's epochs
  const high = method.startsWith("ap2o-h2l");
  return (index) => {
    const problem = problemOf(index);
    const step = Math.floor(index / batch) + 1;
    const epoch = (config.rule === "reference" ? (step - 1) * batch : index) / list.length;
    const frequency = config.scope === "corpus" ? notebook.counts : problem.counts;
    const byExam = [...problem.failed].sort((a, b) => a.sample_index - b.sample_index);
    const failed = ordered(byExam, frequency, config.rule, high && config.rule === "paper");
    const n = failed.length;
    const width = n / epochs;
    let from = Math.min(Math.floor(epoch * width), n - 1);
    let to = Math.min(Math.max(Math.floor((epoch + 1) * width), from + 1), n);
    if (high && config.rule === "reference") [from, to] = [n - to, n - from];
    const quiz = method.endsWith("noreplay") ? undefined : quizzes.filter((one) => one.step > 0 && one.step < step).at(-1);
    const share = replayOf(config.rule, failed, to - from, quiz?.errors ?? {});
    const all = to - from + [...share.values()].reduce((sum, count) => sum + count, 0);
    // The draw: a place among window and replayed answers, then one of the type.
    let place = uniform(seed, "draw/rejected", 2 * index) * all;
    let at = from + Math.min(Math.floor(place), to - from - 1);
    let source = "window";
    if (place >= to - from && share.size > 0) {
      source = "replay";
      place -= to - from;
      let type = "";
      for (const [name, count] of share) {
        type = name;
        if (place < count) break;
        place -= count;
      }
      const places = [...failed.keys()].filter((i) => failed[i]?.error_type === type);
      at = /** @type {number} */ (places[Math.floor(uniform(seed, "draw/rejected", 2 * index + 1) * places.length)]);
    }
    const type = failed[at]?.error_type ?? "";
    const alike = failed.filter(({ error_type }) => error_type === type).length;
    const probability = ((at >= from && at < to ? 1 : 0) + (share.get(type) ?? 0) / alike) / all;
    return {
      task_id: problem.task_id,
      chosen_index: chosenOf(index, problem),
      rejected_index: failed[at]?.sample_index,
      epoch,
      window: [from, to],
      width,
      source,
      probability,
    };
  };
}

/**
 * The pairs of a run with whole windows, line by line.
 * @param {{ notebook: Row, config: Row, method: string, seed: number, quizzes: Row[], steps: number }} run
 */
function wholeWindowRows({ notebook, config, method, seed, quizzes, steps }) {
  const high = method.startsWith("ap2o-h2l");
  const { epochs, batch_size: batch } = config;
  const lists = notebook.problems.map((/** @type {Row} */ problem) => {
    const frequency = config.scope === "corpus" ? notebook.counts : problem.counts;
    const byExam = [...problem.failed].sort((a, b) => a.sample_index - b.sample_index);
    return { problem, failed: ordered(byExam, frequency, "paper", high) };
  });
  /** @type {Row[]} */
  const turns = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    /** @type {Row[]} */
    const here = [];
    for (const { problem, failed } of lists) {
      const [n, width] = [failed.length, failed.length / epochs];
      const from = Math.min(Math.floor(epoch * width), n - 1);
      const to = epoch + 1 === epochs ? n : Math.min(Math.max(Math.floor((epoch + 1) * width), from + 1), n);
      for (let at = from; at < to; at++) here.push({ problem, failed, at, window: [from, to], width });
    }
    turns.push(...shuffle(here, seed, `draw/turns/${epoch}`).map((turn, i) => ({ ...turn, epoch: epoch + i / here.length })));
  }
  return turns.slice(0, steps * batch).flatMap(({ problem, failed, at, window, width, epoch }, turn) => {
    const step = Math.floor(turn / batch) + 1;
    const row = (
      /** @type {number} */ pair,
      /** @type {number} */ place,
      /** @type {string} */ source,
      /** @type {number} */ probability,
    ) => ({
      ...{ step, pair, task_id: problem.task_id, epoch, window, width, source, probability },
      chosen_index: problem.passed[below(seed, "draw/chosen", pair, problem.passed.length)],
      rejected_index: failed[place].sample_index,
    });
    const rows = [row(2 * turn, at, "window", 1)];
    const quiz = method.endsWith("noreplay") ? undefined : quizzes.filter((one) => one.step > 0 && one.step < step).at(-1);
    const share = [...replayOf("paper", failed, 1, quiz?.errors ?? {})];
    if (share.length === 0) return rows;
    const pair = 2 * turn + 1;
    let place = uniform(seed, "draw/rejected", 2 * pair);
    const chosen = share.find(([, part]) => (place -= part) < 0) ?? /** @type {[string, number]} */ (share.at(-1));
    const places = [...failed.keys()].filter((i) => failed[i].error_type === chosen[0]);
    const drawn = /** @type {number} */ (places[Math.floor(uniform(seed, "draw/rejected", 2 * pair + 1) * places.length)]);
    return [...rows, row(pair, drawn, "replay", chosen[1] / places.length)];
  });
}

/** @param {string} rule @param {{ error_type: string }[]} failed @param {number} size @param {Record<string, number>} errors */
function replayOf(rule, failed, size, errors) {
  const counts = Object.entries(errors).filter(([, count]) => count > 0);
  const present = counts.filter(([type]) => failed.some(({ error_type }) => error_type === type));
  const total = (/** @type {[string, number][]} */ of) => of.reduce((sum, [, count]) => sum + count, 0);
  if (rule === "paper") return new Map(present.map(([type, count]) => [type, (size * count) / total(present)]));
  const least = Math.min(...counts.map(([, count]) => count));
  return new Map(present.map(([type, count]) => [type, Math.max(Math.ceil(count / least), Math.floor((size * count) / total(counts)))]));
}

/** @param {Row[]} list @param {Record<string, number>} corpus @param {string} method @param {number} seed @param {string} rule */
function staticDraws(list, corpus, method, seed, rule) {
  const all = list.flatMap((problem) =>
    problem.passed.flatMap((/** @type {number} */ chosen) =>
      problem.failed.map((/** @type {Row} */ failed) => ({ problem, chosen, failed })),
    ),
  );
  const levels = [...new Set(all.map(({ failed }) => corpus[failed.error_type] ?? 0))].sort((a, b) => a - b);
  const order =
    method === "dpo"
      ? shuffle(all, seed, "draw/pairs")
      : levels.flatMap((level) => all.filter(({ failed }) => corpus[failed.error_type] === level));
  const trainers = method === "curri-dpo" && rule === "reference"; // the code's trainer shuffles in every epoch
  return (/** @type {number} */ index) => {
    const epoch = trainers ? shuffle(all, seed, `draw/trainer/${Math.floor(index / all.length)}`) : order;
    const { problem, chosen, failed } = /** @type {{ problem: Row, chosen: number, failed: Row }} */ (epoch[index % order.length]);
    return {
      task_id: problem.task_id,
      chosen_index: chosen,
      rejected_index: failed.sample_index,
      epoch: index / order.length,
      probability: 1 / problem.failed.length,
    };
  };
}

if (import.meta.url === pathToFileURL(argv[1] ?? "").href) {
  const folder = argv[2] ?? "";
  const names = ["run.json", "notebook.json", "samples.jsonl", "results.jsonl", "preferences.jsonl", "quizzes.jsonl", "metrics.jsonl"];
  const { problems, checked } = checkRun(Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), "utf8")])));
  for (const problem of problems) console.log(problem);
  console.log(
    `${Object.values(checked).reduce((sum, count) => sum + count, 0)} figures worked out anew, ${problems.length === 0 ? "all agree" : "not all agree"}`,
  );
  exit(problems.length === 0 ? 0 : 1);
}
