// Why a pair was trained, in words, from what the run wrote down with it.
import type { Preference } from "../records.ts";
import { errorLook } from "./error_types.ts";
import { percentText } from "./number_text.ts";

function drawnText({ source, window: [from, to], error_type }: Preference, failed: number): string {
  const label = errorLook(error_type).label;
  if (source === "replay")
    return `Replayed: the last quiz still found ${label}, so such answers are drawn again beside those in the window.`;
  const where = to - from === 1 ? `answer ${from + 1}` : `answers ${from + 1} to ${to}`;
  if (to - from >= failed) return `Drawn from all ${failed} failed answers: this method has no window.`;
  return `In the window: at this moment it covered ${where} of ${failed}.`;
}

/**
 * Sentences that tell why this answer was rejected, and why at this step.
 * @param failed how many failed answers the problem has
 */
export function whyPair(pair: Preference, failed: number): string[] {
  if (pair.rejected_index === undefined) return ["SFT trains on right answers alone: there is no rejected one."];
  const origin =
    pair.origin === "codeflow"
      ? ["The model repaired this answer itself: the repaired program is the chosen one."]
      : pair.origin === "fallback"
        ? ["The model could not repair it; the right answer nearest in text stands in."]
        : [];
  const mask = pair.rejected_mask;
  const counted = mask?.reduce((sum, part) => sum + part, 0);
  const focal = mask
    ? [`The focal loss counts ${counted} of its ${mask.length} tokens: what the right answer does not have, underlined below.`]
    : [];
  return [
    `Step ${pair.step}, epoch ${pair.epoch.toFixed(2)}.`,
    drawnText(pair, failed),
    `Its chance to be drawn was ${percentText(pair.probability)}; the right answer beside it was drawn from those that passed.`,
    ...origin,
    ...focal,
  ];
}
