// What a training step reports about its pairs, under TRL's names.

import type { PairLogps } from "./objectives.ts";

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

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
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
