// Training objectives: pure functions in double precision from a batch's log-probabilities and lengths to losses and derivatives.
// One table says name, formula, source. Letters: c, r log-probabilities of chosen and rejected answer (sums over their tokens);
// hc, hr the same minus the reference's; h = hc - hr; nc, nr lengths in tokens; β beta; ε label smoothing; σ the logistic function.

import { InputError } from "../input_error.ts";

/** One pair: sums over the answers' tokens, the end token included. For `focal` the sums run over the tokens that its mask keeps. */
export interface PairLogps {
  chosen: number;
  rejected: number;
  refChosen: number;
  refRejected: number;
  /** In tokens. */
  chosenLength: number;
  rejectedLength: number;
}

export interface ObjectiveOptions {
  beta: number;
  labelSmoothing: number;
  /** Weight of an SFT term (mean negative log-likelihood over the batch's chosen tokens) that is added to any objective. */
  rpoAlpha: number;
  /** SimPO's target margin. */
  simpoGamma: number;
  discopopTau: number;
}

/** TRL's defaults. */
export const DEFAULT_OPTIONS: ObjectiveOptions = { beta: 0.1, labelSmoothing: 0, rpoAlpha: 0, simpoGamma: 0.5, discopopTau: 0.05 };

export interface ObjectiveResult {
  /** The batch's mean. */
  loss: number;
  /** Per pair; aot: per rank. Their mean is the loss. */
  losses: number[];
  /** Derivatives of the mean loss by each pair's sums. */
  dChosen: number[];
  dRejected: number[];
}

/** A pair's loss and its derivatives by the two sums. */
type PairLoss = [loss: number, dChosen: number, dRejected: number];

interface Objective {
  formula: string;
  /** Where the formula was taken from. */
  source: string;
  /** Whether reference log-probabilities, and rejected answers, are looked at. */
  reference: boolean;
  rejected: boolean;
  /** Whether a pair's derivatives depend on other pairs' log-probabilities, and not only on their lengths and number. */
  coupled?: boolean;
  evaluate(pairs: readonly PairLogps[], options: ObjectiveOptions): Omit<ObjectiveResult, "loss">;
}

function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}

/** log σ(x), exact for large |x| too. */
function logSigmoid(x: number): number {
  return Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));
}

function perPair(pairLoss: (pair: PairLogps, options: ObjectiveOptions) => PairLoss): Objective["evaluate"] {
  return (pairs, options) => {
    const rows = pairs.map((pair) => pairLoss(pair, options));
    return {
      losses: rows.map(([loss]) => loss),
      dChosen: rows.map(([, dChosen]) => dChosen / pairs.length),
      dRejected: rows.map(([, , dRejected]) => dRejected / pairs.length),
    };
  };
}

/** A loss of the margin h alone: f gives the loss and its derivative by h. */
function ofMargin(f: (h: number, options: ObjectiveOptions) => [loss: number, slope: number]): Objective["evaluate"] {
  return perPair((pair, options) => {
    const [loss, slope] = f(pair.chosen - pair.refChosen - (pair.rejected - pair.refRejected), options);
    return [loss, slope, -slope];
  });
}

/** A loss of the two log-ratios: f gives the loss and its derivatives by hc and hr. */
function ofRatios(f: (hc: number, hr: number, options: ObjectiveOptions) => PairLoss): Objective["evaluate"] {
  return perPair((pair, options) => f(pair.chosen - pair.refChosen, pair.rejected - pair.refRejected, options));
}

/** -(1 - ε) log σ(βh) - ε log σ(-βh), and its derivative by h. */
function smoothed(h: number, beta: number, smoothing: number): [number, number] {
  const x = beta * h;
  const loss = -(1 - smoothing) * logSigmoid(x) - smoothing * logSigmoid(-x);
  return [loss, beta * (smoothing * sigmoid(x) - (1 - smoothing) * sigmoid(-x))];
}

/** Alignment by optimal transport: the first sample's ranks against the second's; f of a pair gives both, the second one constant or not. */
function byRank(
  first: (pair: PairLogps) => number,
  second: (pair: PairLogps) => number,
  spread: (pair: { dFirst: number; dSecond: number }) => { dChosen: number; dRejected: number },
): Objective["evaluate"] {
  return (pairs, { beta, labelSmoothing }) => {
    const order = (value: (pair: PairLogps) => number) =>
      pairs.map((_, i) => i).sort((i, j) => value(pairs[i]!) - value(pairs[j]!) || i - j);
    const firstOrder = order(first);
    const secondOrder = order(second);
    const losses: number[] = [];
    const slopes = pairs.map(() => ({ dFirst: 0, dSecond: 0 }));
    firstOrder.forEach((i, rank) => {
      const j = secondOrder[rank]!;
      const [loss, slope] = smoothed(first(pairs[i]!) - second(pairs[j]!), beta, labelSmoothing);
      losses.push(loss);
      slopes[i]!.dFirst = slope / pairs.length;
      slopes[j]!.dSecond = -slope / pairs.length;
    });
    const spreaded = slopes.map(spread);
    return { losses, dChosen: spreaded.map(({ dChosen }) => dChosen), dRejected: spreaded.map(({ dRejected }) => dRejected) };
  };
}

/** Mean negative log-likelihood over all chosen tokens of the batch: a long answer weighs more than a short one. */
function tokenMean(pairs: readonly PairLogps[]): Omit<ObjectiveResult, "loss"> {
  const tokens = pairs.reduce((sum, { chosenLength }) => sum + chosenLength, 0);
  return {
    losses: pairs.map(({ chosen }) => (-chosen * pairs.length) / tokens),
    dChosen: pairs.map(() => -1 / tokens),
    dRejected: pairs.map(() => 0),
  };
}

const TRL = "TRL 1.16, DPOTrainer";
const sigmoidLoss = ofMargin((h, { beta }) => smoothed(h, beta, 0));

export const OBJECTIVES = {
  sigmoid: { formula: "-log σ(βh)", source: `${TRL}; Rafailov et al. 2023 (DPO)`, reference: true, rejected: true, evaluate: sigmoidLoss },
  sigmoid_label_smoothing: {
    formula: "-(1 - ε) log σ(βh) - ε log σ(-βh)",
    source: "TRL's CPOTrainer and its DPOTrainer before 1.0; Mitchell 2023 (conservative DPO)",
    reference: true,
    rejected: true,
    evaluate: ofMargin((h, { beta, labelSmoothing }) => smoothed(h, beta, labelSmoothing)),
  },
  robust: {
    formula: "(-(1 - ε) log σ(βh) + ε log σ(-βh)) / (1 - 2ε)",
    source: `${TRL}; Chowdhury et al. 2024`,
    reference: true,
    rejected: true,
    evaluate: ofMargin((h, { beta, labelSmoothing }) => {
      if (labelSmoothing >= 0.5) throw new InputError(`label_smoothing ${labelSmoothing}: expected less than 0.5 for robust.`);
      const scale = 1 / (1 - 2 * labelSmoothing);
      const x = beta * h;
      const loss = (labelSmoothing * logSigmoid(-x) - (1 - labelSmoothing) * logSigmoid(x)) * scale;
      return [loss, -beta * scale * (labelSmoothing * sigmoid(x) + (1 - labelSmoothing) * sigmoid(-x))];
    }),
  },
  exo_pair: {
    formula: "σ(βh) (log σ(βh) - log(1 - ε)) + σ(-βh) (log σ(-βh) - log ε)",
    source: `${TRL}; Ji et al. 2024 (EXO), eq. 16`,
    reference: true,
    rejected: true,
    evaluate: ofMargin((h, { beta, labelSmoothing }) => {
      if (labelSmoothing <= 0 || labelSmoothing >= 1) {
        throw new InputError(`label_smoothing ${labelSmoothing}: expected more than 0 for exo_pair, such as 1e-3.`);
      }
      const x = beta * h;
      const win = logSigmoid(x) - Math.log(1 - labelSmoothing);
      const lose = logSigmoid(-x) - Math.log(labelSmoothing);
      // The derivatives of the two logarithms cancel: σ(x) σ(-x) - σ(-x) σ(x).
      return [sigmoid(x) * win + sigmoid(-x) * lose, beta * sigmoid(x) * sigmoid(-x) * (win - lose)];
    }),
  },
  hinge: {
    formula: "max(0, 1 - βh)",
    source: `${TRL}; Zhao et al. 2023 (SLiC), Liu et al. 2023 (RSO)`,
    reference: true,
    rejected: true,
    evaluate: ofMargin((h, { beta }) => (beta * h < 1 ? [1 - beta * h, -beta] : [0, 0])),
  },
  ipo: {
    formula: "(hc / nc - hr / nr - 1 / (2β))²",
    source: `${TRL}; Azar et al. 2023 (IPO), log-ratios per token`,
    reference: true,
    rejected: true,
    evaluate: perPair(({ chosen, refChosen, rejected, refRejected, chosenLength, rejectedLength }, { beta }) => {
      const distance = (chosen - refChosen) / chosenLength - (rejected - refRejected) / rejectedLength - 1 / (2 * beta);
      return [distance ** 2, (2 * distance) / chosenLength, (-2 * distance) / rejectedLength];
    }),
  },
  ipo_sums: {
    formula: "(h - 1 / (2β))²",
    source: "Azar et al. 2023 (IPO), eq. 17; TRL before it took means",
    reference: true,
    rejected: true,
    evaluate: ofMargin((h, { beta }) => [(h - 1 / (2 * beta)) ** 2, 2 * (h - 1 / (2 * beta))]),
  },
  bco_pair: {
    formula: "-log σ(β hc) - log σ(-β hr)",
    source: `${TRL}; Jung et al. 2024 (BCO), without its running mean`,
    reference: true,
    rejected: true,
    evaluate: ofRatios((hc, hr, { beta }) => [
      -logSigmoid(beta * hc) - logSigmoid(-beta * hr),
      -beta * sigmoid(-beta * hc),
      beta * sigmoid(beta * hr),
    ]),
  },
  nca_pair: {
    formula: "-log σ(β hc) - log σ(-β hc) / 2 - log σ(-β hr) / 2",
    source: `${TRL}; Chen et al. 2024 (NCA)`,
    reference: true,
    rejected: true,
    evaluate: ofRatios((hc, hr, { beta }) => [
      -logSigmoid(beta * hc) - 0.5 * logSigmoid(-beta * hc) - 0.5 * logSigmoid(-beta * hr),
      beta * (0.5 * sigmoid(beta * hc) - sigmoid(-beta * hc)),
      0.5 * beta * sigmoid(beta * hr),
    ]),
  },
  sppo_hard: {
    formula: "(hc - 1 / (2β))² + (hr + 1 / (2β))²",
    source: `${TRL}; Wu et al. 2024 (SPPO)`,
    reference: true,
    rejected: true,
    evaluate: ofRatios((hc, hr, { beta }) => {
      const target = 1 / (2 * beta);
      return [(hc - target) ** 2 + (hr + target) ** 2, 2 * (hc - target), 2 * (hr + target)];
    }),
  },
  aot: {
    formula: "-(1 - ε) log σ(βδ) - ε log σ(-βδ), δ = rank by rank: sorted policy margins c - r minus sorted reference margins",
    source: `${TRL}; Melnyk et al. 2024 (AOT, paired)`,
    reference: true,
    rejected: true,
    coupled: true,
    evaluate: byRank(
      (pair) => pair.chosen - pair.rejected,
      (pair) => pair.refChosen - pair.refRejected,
      ({ dFirst }) => ({ dChosen: dFirst, dRejected: -dFirst }),
    ),
  },
  aot_unpaired: {
    formula: "-(1 - ε) log σ(βδ) - ε log σ(-βδ), δ = rank by rank: sorted hc minus sorted hr",
    source: `${TRL}; Melnyk et al. 2024 (AOT, unpaired)`,
    reference: true,
    rejected: true,
    coupled: true,
    evaluate: byRank(
      (pair) => pair.chosen - pair.refChosen,
      (pair) => pair.rejected - pair.refRejected,
      ({ dFirst, dSecond }) => ({ dChosen: dFirst, dRejected: dSecond }),
    ),
  },
  apo_zero: {
    formula: "1 - σ(β hc) + σ(β hr)",
    source: `${TRL}; D'Oosterlinck et al. 2024 (APO)`,
    reference: true,
    rejected: true,
    evaluate: ofRatios((hc, hr, { beta }) => [
      sigmoid(-beta * hc) + sigmoid(beta * hr),
      -beta * sigmoid(beta * hc) * sigmoid(-beta * hc),
      beta * sigmoid(beta * hr) * sigmoid(-beta * hr),
    ]),
  },
  apo_down: {
    formula: "σ(β hc) + 1 - σ(βh)",
    source: `${TRL}; D'Oosterlinck et al. 2024 (APO)`,
    reference: true,
    rejected: true,
    evaluate: ofRatios((hc, hr, { beta }) => {
      const x = beta * (hc - hr);
      const dMargin = -beta * sigmoid(x) * sigmoid(-x);
      const dChosen = beta * sigmoid(beta * hc) * sigmoid(-beta * hc);
      return [sigmoid(beta * hc) + sigmoid(-x), dChosen + dMargin, -dMargin];
    }),
  },
  discopop: {
    formula: "-log σ(βh) (1 - m) + exp(-βh) m, m = σ(βh / τ)",
    source: `${TRL}; Lu et al. 2024 (DiscoPOP), eq. 5`,
    reference: true,
    rejected: true,
    evaluate: ofMargin((h, { beta, discopopTau }) => {
      const x = beta * h;
      const mix = sigmoid(x / discopopTau);
      const slopeOfMix = (mix * sigmoid(-x / discopopTau)) / discopopTau;
      // For very negative margins exp(-x) overflows where its weight vanishes faster: take the product in the exponent.
      const weighted = Math.exp(logSigmoid(x / discopopTau) - x);
      const loss = -logSigmoid(x) * (1 - mix) + weighted;
      const slope = -sigmoid(-x) * (1 - mix) + logSigmoid(x) * slopeOfMix + weighted * (sigmoid(-x / discopopTau) / discopopTau - 1);
      return [loss, beta * slope];
    }),
  },
  sigmoid_norm: {
    formula: "-log σ(β (hc / nc - hr / nr))",
    source: `${TRL}; DPO with log-ratios per token`,
    reference: true,
    rejected: true,
    evaluate: perPair(({ chosen, refChosen, rejected, refRejected, chosenLength, rejectedLength }, { beta }) => {
      const [loss, slope] = smoothed((chosen - refChosen) / chosenLength - (rejected - refRejected) / rejectedLength, beta, 0);
      return [loss, slope / chosenLength, -slope / rejectedLength];
    }),
  },
  simpo: {
    formula: "-log σ(β (c / nc - r / nr) - γ)",
    source: "trl.experimental, CPOTrainer; Meng et al. 2024 (SimPO)",
    reference: false,
    rejected: true,
    evaluate: perPair(({ chosen, rejected, chosenLength, rejectedLength }, { beta, simpoGamma }) => {
      const [loss, slope] = smoothed(chosen / chosenLength - rejected / rejectedLength - simpoGamma / beta, beta, 0);
      return [loss, slope / chosenLength, -slope / rejectedLength];
    }),
  },
  orpo_odds_ratio: {
    formula: "-β log σ(log-odds(c / nc) - log-odds(r / nr)), log-odds(p) = p - log(1 - exp p)",
    source: "trl.experimental, ORPOTrainer; Hong et al. 2024 (ORPO), without its SFT term",
    reference: false,
    rejected: true,
    evaluate: perPair(({ chosen, rejected, chosenLength, rejectedLength }, { beta }) => {
      const c = chosen / chosenLength;
      const r = rejected / rejectedLength;
      const x = c - Math.log(-Math.expm1(c)) - (r - Math.log(-Math.expm1(r)));
      const slope = -beta * sigmoid(-x);
      return [-beta * logSigmoid(x), slope / -Math.expm1(c) / chosenLength, -slope / -Math.expm1(r) / rejectedLength];
    }),
  },
  cal_dpo: {
    formula: "-log σ(βh) + (hc - 1 / (2β))² + (hr + 1 / (2β))²",
    source: "Xiao et al. 2024 (Cal-DPO), DPO plus calibration",
    reference: true,
    rejected: true,
    evaluate: ofRatios((hc, hr, { beta }) => calibrated(hc, hr, beta, beta)),
  },
  cal_dpo_unscaled: {
    formula: "-log σ(h) + (hc - 1 / (2β))² + (hr + 1 / (2β))²",
    source: "Xiao et al. 2024 (Cal-DPO), the margin without β",
    reference: true,
    rejected: true,
    evaluate: ofRatios((hc, hr, { beta }) => calibrated(hc, hr, beta, 1)),
  },
  focal: {
    formula: "-log σ(βh), hr over the rejected answer's differing tokens only",
    source: "Wu et al. 2025 (IterPref: Target-DPO; with rpo_alpha 1 Target-RPO)",
    reference: true,
    rejected: true,
    evaluate: sigmoidLoss,
  },
  sft: {
    formula: "-Σ c / Σ nc over the batch",
    source: "supervised fine-tuning: cross-entropy, mean over the batch's answer tokens",
    reference: false,
    rejected: false,
    evaluate: tokenMean,
  },
} satisfies Record<string, Objective>;

/** -log σ(c h) plus the squared distances of both log-ratios from ±1 / (2β). */
function calibrated(hc: number, hr: number, beta: number, inside: number): PairLoss {
  const target = 1 / (2 * beta);
  const [loss, slope] = smoothed(hc - hr, inside, 0);
  return [loss + (hc - target) ** 2 + (hr + target) ** 2, slope + 2 * (hc - target), -slope + 2 * (hr + target)];
}

export type LossType = keyof typeof OBJECTIVES;

/** Whether the whole batch's log-probabilities must be known before any pair's derivatives are. */
export function couplesPairs(name: LossType): boolean {
  const { coupled = false }: Objective = OBJECTIVES[name];
  return coupled;
}

/** @throws InputError with the list of names where `name` is none of them */
export function readLossType(name: string): LossType {
  if (isLossType(name)) return name;
  throw new InputError(`loss type ${name} is not known; expected one of ${Object.keys(OBJECTIVES).join(", ")}.`);
}

function isLossType(name: string): name is LossType {
  return Object.hasOwn(OBJECTIVES, name);
}

/**
 * A batch's loss and its derivatives.
 * @param pairs at least one
 * @throws InputError where the objective needs a rejected answer and a pair has none, or an option is out of its range
 */
export function evaluateObjective(name: LossType, pairs: readonly PairLogps[], options: ObjectiveOptions): ObjectiveResult {
  const objective: Objective = OBJECTIVES[name];
  if (objective.rejected && pairs.some(({ rejectedLength }) => rejectedLength === 0)) {
    throw new InputError(`loss type ${name}: expected a rejected answer in every pair, found a pair without one; give it, or use sft.`);
  }
  const { losses, dChosen, dRejected } = objective.evaluate(pairs, options);
  if (options.rpoAlpha !== 0) {
    const sft = tokenMean(pairs);
    sft.losses.forEach((loss, i) => {
      losses[i]! += options.rpoAlpha * loss;
      dChosen[i]! += options.rpoAlpha * sft.dChosen[i]!;
    });
  }
  return { loss: losses.reduce((sum, loss) => sum + loss, 0) / pairs.length, losses, dChosen, dRejected };
}
