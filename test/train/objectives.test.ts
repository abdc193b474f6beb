import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { preferenceMetrics } from "../../src/train/metrics.ts";
import {
  couplesPairs,
  DEFAULT_OPTIONS,
  evaluateObjective,
  type LossType,
  OBJECTIVES,
  type ObjectiveOptions,
  type PairLogps,
  readLossType,
} from "../../src/train/objectives.ts";
import { type LogpsLine, MODELS, readJson, readJsonLines } from "../golden/golden.ts";

interface GoldenLoss {
  arguments: { beta?: number; label_smoothing?: number; gamma?: number; discopop_tau?: number; sft_alpha?: number; batch?: number };
  loss: number[];
  d_chosen_d_rejected: [number, number][];
}

interface FocalRow {
  chosen_token_logps: number[];
  ref_chosen_token_logps: number[];
  rejected_token_logps: number[];
  ref_rejected_token_logps: number[];
  mask: number[];
}

interface FocalLoss {
  arguments: { beta: number; sft_alpha: number };
  loss: number[];
  d_chosen_token_logps: number[][];
  d_rejected_token_logps: number[][];
}

const golden = readJson<{
  rows: [number, number, number, number, number, number][];
  losses: Record<string, GoldenLoss>;
  focal: { rows: FocalRow[]; losses: Record<string, FocalLoss> };
}>("loss_types.json");

const rows: PairLogps[] = golden.rows.map(([chosen, rejected, refChosen, refRejected, chosenLength, rejectedLength]) => ({
  chosen,
  rejected,
  refChosen,
  refRejected,
  chosenLength,
  rejectedLength,
}));

/** TRL computes these in float32: ORPO's term, and the logarithm of ε. */
const TOLERANCES: Partial<Record<LossType, number>> = { orpo_odds_ratio: 1e-6, exo_pair: 1e-7 };

/** Golden's name for an objective with other arguments, to ours. */
function lossTypeOf(name: string): LossType {
  return readLossType(name.replace(/_2$|_sft|_batch_4/g, ""));
}

function optionsOf({ beta, label_smoothing, gamma, discopop_tau, sft_alpha }: GoldenLoss["arguments"]): ObjectiveOptions {
  const { beta: defaultBeta, labelSmoothing, rpoAlpha, simpoGamma, discopopTau } = DEFAULT_OPTIONS;
  return {
    beta: beta ?? defaultBeta,
    labelSmoothing: label_smoothing ?? labelSmoothing,
    rpoAlpha: sft_alpha ?? rpoAlpha,
    simpoGamma: gamma ?? simpoGamma,
    discopopTau: discopop_tau ?? discopopTau,
  };
}

/** Relative, with a floor of one: golden's own rounding is 1e-15 of its largest term. */
function expectClose(found: number, expected: number, tolerance: number) {
  expect(Math.abs(found - expected)).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(expected)));
}

describe("golden losses and derivatives", () => {
  test.each(Object.entries(golden.losses))("%s", (name, entry) => {
    const lossType = lossTypeOf(name);
    const size = entry.arguments.batch ?? 1;
    const tolerance = TOLERANCES[lossType] ?? 1e-12;
    expect(entry.loss).toHaveLength(rows.length / size);
    entry.loss.forEach((loss, batch) => {
      const pairs = rows.slice(batch * size, (batch + 1) * size);
      const result = evaluateObjective(lossType, pairs, optionsOf(entry.arguments));
      expectClose(result.loss, loss, tolerance);
      pairs.forEach((_, i) => {
        const [dChosen, dRejected] = entry.d_chosen_d_rejected[batch * size + i]!;
        expectClose(result.dChosen[i]!, dChosen, tolerance);
        expectClose(result.dRejected[i]!, dRejected, tolerance);
      });
    });
  });

  test("cover every objective of the table but the focal one, which has rows of its own", () => {
    const covered = new Set(Object.keys(golden.losses).map(lossTypeOf));
    expect(Object.keys(OBJECTIVES).filter((name) => !covered.has(readLossType(name)))).toEqual(["focal"]);
  });

  test.each(Object.entries(golden.focal.losses))("%s", (_, { arguments: { beta, sft_alpha }, ...expected }) => {
    const sum = (values: number[], mask?: number[]) => values.reduce((total, value, i) => total + value * (mask?.[i] ?? 1), 0);
    golden.focal.rows.forEach((row, i) => {
      const pair: PairLogps = {
        chosen: sum(row.chosen_token_logps),
        rejected: sum(row.rejected_token_logps, row.mask),
        refChosen: sum(row.ref_chosen_token_logps),
        refRejected: sum(row.ref_rejected_token_logps, row.mask),
        chosenLength: row.chosen_token_logps.length,
        rejectedLength: row.rejected_token_logps.length,
      };
      const result = evaluateObjective("focal", [pair], { ...DEFAULT_OPTIONS, beta, rpoAlpha: sft_alpha });
      expectClose(result.loss, expected.loss[i]!, 1e-12);
      for (const d of expected.d_chosen_token_logps[i]!) expectClose(result.dChosen[0]!, d, 1e-12);
      expected.d_rejected_token_logps[i]!.forEach((d, token) => {
        expectClose(result.dRejected[0]! * row.mask[token]!, d, 1e-12);
      });
    });
  });
});

describe("derivatives", () => {
  const logp = fc.double({ min: -60, max: -0.2, noNaN: true });
  const length = fc.integer({ min: 1, max: 40 });
  const pair = fc.record({
    chosen: logp,
    rejected: logp,
    refChosen: logp,
    refRejected: logp,
    chosenLength: length,
    rejectedLength: length,
  });
  const batch = fc.array(pair, { minLength: 1, maxLength: 4 });
  const options = { ...DEFAULT_OPTIONS, labelSmoothing: 0.1, rpoAlpha: 0.3 };

  test.each(Object.keys(OBJECTIVES).map(readLossType))("of %s are those of finite differences", (lossType) => {
    fc.assert(
      fc.property(batch, (pairs) => {
        const { dChosen, dRejected } = evaluateObjective(lossType, pairs, options);
        const step = 1e-5;
        pairs.forEach((_, i) => {
          for (const side of ["chosen", "rejected"] as const) {
            const at = (shift: number) =>
              evaluateObjective(
                lossType,
                pairs.map((other, j) => (j === i ? { ...other, [side]: other[side] + shift } : other)),
                options,
              ).loss;
            const ahead = (at(step) - at(0)) / step;
            const behind = (at(0) - at(-step)) / step;
            const found = (side === "chosen" ? dChosen : dRejected)[i]!;
            // At a kink (hinge, equal ranks of aot) any value between the two one-sided derivatives is one.
            const slack = 1e-3 * Math.max(1, Math.abs(ahead), Math.abs(behind));
            expect(found).toBeGreaterThanOrEqual(Math.min(ahead, behind) - slack);
            expect(found).toBeLessThanOrEqual(Math.max(ahead, behind) + slack);
          }
        });
      }),
      { numRuns: 60, seed: 7 },
    );
  });

  test("stay finite for answers of extreme log-probability", () => {
    const far = { refChosen: -1e4, refRejected: -1e4, chosenLength: 3, rejectedLength: 5 };
    for (const lossType of Object.keys(OBJECTIVES).map(readLossType)) {
      for (const [chosen, rejected] of [
        [-1e-9, -2e4],
        [-2e4, -1e-9],
      ] as const) {
        const result = evaluateObjective(lossType, [{ ...far, chosen, rejected }], options);
        expect([lossType, ...Object.values(result).flat()].slice(1).every(Number.isFinite)).toBe(true);
      }
    }
  });
});

describe("options", () => {
  const pair = rows[1]!;

  test("an SFT term adds to any objective what sft alone gives", () => {
    const pairs = rows.slice(4, 8);
    const sft = evaluateObjective("sft", pairs, DEFAULT_OPTIONS);
    for (const lossType of ["sigmoid", "hinge", "aot", "focal"] as const) {
      const plain = evaluateObjective(lossType, pairs, DEFAULT_OPTIONS);
      const both = evaluateObjective(lossType, pairs, { ...DEFAULT_OPTIONS, rpoAlpha: 0.5 });
      expect(both.loss).toBeCloseTo(plain.loss + 0.5 * sft.loss, 12);
      expect(both.dChosen[2]).toBeCloseTo(plain.dChosen[2]! + 0.5 * sft.dChosen[2]!, 12);
    }
  });

  test("sigmoid ignores label smoothing, as TRL's does", () => {
    const smoothing = { ...DEFAULT_OPTIONS, labelSmoothing: 0.2 };
    expect(evaluateObjective("sigmoid", [pair], smoothing)).toEqual(evaluateObjective("sigmoid", [pair], DEFAULT_OPTIONS));
  });

  test("what an objective cannot do is refused", () => {
    expect(() => evaluateObjective("exo_pair", [pair], DEFAULT_OPTIONS)).toThrow("label_smoothing 0: expected more than 0");
    expect(() => evaluateObjective("robust", [pair], { ...DEFAULT_OPTIONS, labelSmoothing: 0.5 })).toThrow("expected less than 0.5");
    expect(() => evaluateObjective("ipo", [pair, { ...pair, rejectedLength: 0 }], DEFAULT_OPTIONS)).toThrow(
      "expected a rejected answer in every",
    );
    expect(evaluateObjective("sft", [{ ...pair, rejectedLength: 0 }], DEFAULT_OPTIONS).loss).toBe(2);
    expect(() => readLossType("sigmoidal")).toThrow("loss type sigmoidal is not known; expected one of sigmoid, ");
    expect(() => readLossType("toString")).toThrow("not known");
  });
});

describe("metrics", () => {
  test.each(MODELS)("and DPO loss of %s are those of PyTorch", (model) => {
    const folder = `dpo/${model}/r8`;
    const pairs = readJsonLines<LogpsLine>(`${folder}/logps.jsonl`).map((line) => ({
      chosen: line.chosen_logp,
      rejected: line.rejected_logp,
      refChosen: line.ref_chosen_logp,
      refRejected: line.ref_rejected_logp,
      chosenLength: line.chosen_token_logps.length,
      rejectedLength: line.rejected_token_logps.length,
    }));
    const { dpo, sft } = readJson<{ dpo: Record<string, number>; sft: { loss: number } }>(`${folder}/losses.json`);
    for (const [name, value] of Object.entries(preferenceMetrics(pairs, 0.1))) expectClose(value, dpo[name]!, 1e-5);
    expectClose(evaluateObjective("sigmoid", pairs, DEFAULT_OPTIONS).loss, dpo.loss!, 1e-5);
    expectClose(evaluateObjective("sft", pairs, DEFAULT_OPTIONS).loss, sft.loss, 1e-5);
  });

  test("equal rewards count as no accuracy", () => {
    expect(preferenceMetrics([rows[0]!], 0.1)["rewards/accuracies"]).toBe(0);
  });
});

test("a pair's derivatives follow from its own sums, the lengths and the number of pairs, but where pairs are coupled", () => {
  const options = { ...DEFAULT_OPTIONS, labelSmoothing: 0.1, rpoAlpha: 0.5 };
  for (const name of Object.keys(OBJECTIVES).map(readLossType)) {
    const batch = rows.slice(0, 5);
    const moved = batch.map((row, i) => (i === 2 ? row : { ...row, chosen: -80 - i, rejected: -1 - i, refChosen: -2, refRejected: -70 }));
    const [before, after] = [batch, moved].map((pairs) => {
      const { dChosen, dRejected } = evaluateObjective(name, pairs, options);
      return [dChosen[2], dRejected[2]];
    });
    if (couplesPairs(name)) expect(after, name).not.toEqual(before);
    else expect(after, name).toEqual(before);
  }
});
