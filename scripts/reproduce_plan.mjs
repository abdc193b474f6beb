// What npm run reproduce runs: the same for every method, as plain data.

/** Methods in the order of the tables; those that the paper has come first. */
export const METHODS = ["sft", "dpo", "curri-dpo", "dyn-dpo", "ap2o-l2h", "ap2o-h2l", "ap2o-l2h-noreplay", "ap2o-h2l-noreplay", "iterpref"];

/** @type {Record<string, string>} */
export const LABELS = {
  sft: "SFT-Coder",
  dpo: "DPO-Coder",
  "curri-dpo": "Curri-DPO-Coder",
  "dyn-dpo": "Dyn-DPO-Coder",
  "ap2o-l2h": "AP2O (L2H)",
  "ap2o-h2l": "AP2O (H2L)",
  "ap2o-l2h-noreplay": "L2H, no replay",
  "ap2o-h2l-noreplay": "H2L, no replay",
  iterpref: "IterPref",
};

/** The tuning grid: three learning rates, the same for every method, tried with seed 1 and chosen by the best quiz. */
/** @type {Record<string, number[]>} */
export const GRIDS = {
  smoke: [2e-3, 4e-3, 8e-3], // around the preset's
  demo: [5e-4, 1e-3, 2e-3], // around the preset's: half moves little, twice breaks syntax late in the run
  paper: [1e-5, 5e-5, 2e-4], // LoRA's range in method and literature, around the preset's
};

/** Settings of every run beside its preset's. */
/** @type {Record<string, string[]>} */
export const SETTINGS = {
  smoke: [],
  demo: ["steps=80"], // a fifth less than the preset: 49 runs are to fit into four hours of lavapipe on two cores
  paper: [],
};

export const TUNING_SEED = 1;

/**
 * What the paper reports: Init and the methods, pass@1 in per cent, by problem set and model. Means of three trials.
 * @type {Record<string, Record<string, number>>}
 */
export const PAPER = {
  "HumanEval, Qwen2.5-Coder 0.5B": paperRow(53.0, 60.1, 56.8, 53.3, 57.1, 61.5, 56.5),
  "HumanEval, Qwen2.5-Coder 1.5B": paperRow(69.3, 70.4, 73.2, 73.1, 71.5, 76.3, 71.7),
  "HumanEval, Qwen2.5-Coder 3B": paperRow(83.5, 85.1, 84.5, 83.7, 84.7, 85.7, 86.3),
  "HumanEval, DeepSeek-Coder 1.3B": paperRow(64.6, 64.8, 63.5, 63.8, 63.4, 65.9, 64.7),
  "MBPP, Qwen2.5-Coder 0.5B": paperRow(50.8, 55.4, 51.9, 50.9, 55.0, 56.7, 51.5),
  "MBPP, Qwen2.5-Coder 3B": paperRow(72.9, 74.5, 76.0, 74.3, 75.7, 77.5, 77.0),
  "LiveCodeBench v6, Qwen2.5-Coder 0.5B": paperRow(2.3, 2.9, 2.9, 2.7, 2.9, 3.3, 3.2),
};

/**
 * @param {number} init
 * @param {number} sft
 * @param {number} dpo
 * @param {number} curri
 * @param {number} dyn
 * @param {number} l2h
 * @param {number} h2l
 */
function paperRow(init, sft, dpo, curri, dyn, l2h, h2l) {
  return { init, sft, dpo, "curri-dpo": curri, "dyn-dpo": dyn, "ap2o-l2h": l2h, "ap2o-h2l": h2l };
}

/** Table 3 of the paper: MBPP, 7B, with and without replay. */
export const PAPER_REPLAY = { "ap2o-l2h": [84.9, 82.7], "ap2o-h2l": [85.4, 82.1] };

/**
 * Runs beside the table, with seed 1 and the chosen rate of the chosen direction, that show why the result is what it is.
 * @param {string} direction
 */
export const whyRuns = (direction) => [
  { name: `${direction}-reference`, about: "the public code's rule (its replay, its windows)", flags: ["--rule", "reference"] },
  { name: `${direction}-corpus`, about: "frequency over all problems instead of within each", flags: ["--scope", "corpus"] },
  { name: `${direction}-narrow`, about: "half of the problems: twice the epochs, windows half as wide", set: { training_problems: 50 } },
  { name: `${direction}-short`, about: "half of the steps: half of the epochs, windows twice as wide", set: { steps: 40 } },
  { name: `${direction}-shuffled`, about: "control: verdicts dealt out anew within each problem", flags: ["--shuffle-verdicts"] },
];

/**
 * The same data with another objective, likewise.
 * @param {string} direction
 */
export const objectiveRuns = (direction) => [
  { name: `${direction}-simpo`, about: "SimPO, β 2 and γ 0.5", flags: ["--loss-type", "simpo"], set: { beta: 2 } }, // its paper's β is 2 to 2.5
  { name: `${direction}-cal-dpo`, about: "Cal-DPO", flags: ["--loss-type", "cal_dpo"] },
  { name: `${direction}-ipo`, about: "IPO", flags: ["--loss-type", "ipo"] },
];

/** What a folder of runs is made with: runs of another plan are not taken for its own. @typedef {Record<string, string | null>} Plan */

/**
 * Where two plans differ, each as "name: value, here value".
 * @param {Plan} kept
 * @param {Plan} wanted
 */
export function planDifferences(kept, wanted) {
  const shown = (/** @type {string | null | undefined} */ value) => value ?? "none";
  return Object.keys(wanted)
    .filter((name) => shown(kept[name]) !== shown(wanted[name]))
    .map((name) => `${name}: ${shown(kept[name])}, here ${shown(wanted[name])}`);
}
