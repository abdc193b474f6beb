// What a training step reports about its pairs, under TRL's names.

import type { CompletionRows } from "./logps.ts";
import type { PairLogps } from "./objectives.ts";

/** Means over completion tokens, each token of the batch with the same weight. */
export interface TokenMetrics {
  /** Of the predictions, in nats, over both sides. */
  entropy: number;
  /** Share of the chosen tokens that were the likeliest. */
  mean_token_accuracy: number;
  /** Of the mean logit over the vocabulary, of each side; absent where no pair has a rejected answer (SFT). */
  "logits/chosen"?: number;
  "logits/rejected"?: number;
}

export interface PreferenceMetrics {
  /** Means over the batch of β times the log-ratio of policy to reference. */
  "rewards/chosen": number;
  "rewards/rejected": number;
  /** Share of pairs whose chosen reward is strictly higher: 0, not 0.5, where both are equal. */
  "rewards/accuracies": number;
  "rewards/margins": number;
  /** Means over the batch of the answers' summed log-probabilities. */
  "logps/chosen": number;
  "logps/rejected": number;
}

type Statistics = Pick<CompletionRows, "chosenStatistics" | "rejectedStatistics">;

/** Columns of a token's four statistics, as rowStatistics gives them. */
const MEAN_LOGIT = 0;
const ENTROPY = 1;
const IS_LARGEST = 2;

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The mean of one column over all tokens of some completions, in double precision. */
function tokenMean(completions: readonly Float32Array[], column: number): number {
  return mean(completions.flatMap((statistics) => Array.from({ length: statistics.length / 4 }, (_, i) => statistics[4 * i + column]!)));
}

/** The metrics of the completion tokens of a batch of at least one pair. */
export function tokenMetrics(pairs: readonly Statistics[]): TokenMetrics {
  const chosen = pairs.map(({ chosenStatistics }) => chosenStatistics);
  const rejected = pairs.map(({ rejectedStatistics }) => rejectedStatistics);
  const both = rejected.some(({ length }) => length > 0);
  return {
    entropy: tokenMean([...chosen, ...rejected], ENTROPY),
    mean_token_accuracy: tokenMean(chosen, IS_LARGEST),
    ...(both && { "logits/chosen": tokenMean(chosen, MEAN_LOGIT), "logits/rejected": tokenMean(rejected, MEAN_LOGIT) }),
  };
}

/** The metrics of a batch of at least one pair. */
export function preferenceMetrics(pairs: readonly PairLogps[], beta: number): PreferenceMetrics {
  const chosen = pairs.map((pair) => beta * (pair.chosen - pair.refChosen));
  const rejected = pairs.map((pair) => beta * (pair.rejected - pair.refRejected));
  return {
    "rewards/chosen": mean(chosen),
    "rewards/rejected": mean(rejected),
    "rewards/accuracies": mean(chosen.map((reward, i) => Number(reward > rejected[i]!))),
    "rewards/margins": mean(chosen.map((reward, i) => reward - rejected[i]!)),
    "logps/chosen": mean(pairs.map((pair) => pair.chosen)),
    "logps/rejected": mean(pairs.map((pair) => pair.rejected)),
  };
}
