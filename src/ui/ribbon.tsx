import type { Preference } from "../records.ts";
import { errorLook } from "./error_types.ts";
import type { DistinctAnswer } from "./notebook_view.ts";
import { TypeBadge } from "./type_badge.tsx";

interface RibbonProps {
  failed: readonly DistinctAnswer[];
  /** Sample index of the answer that is open. */
  open: number;
  /** The problem's trained pairs, newest first. */
  pairs: readonly Preference[];
  onOpen(sampleIndex: number): void;
}

function windowText(pair: Preference | undefined, count: number): string {
  if (!pair) return `Its ${count} different failed answers, in the order in which they are practised.`;
  const [from, to] = pair.window;
  const where = to - from === 1 ? `answer ${from + 1}` : `answers ${from + 1} to ${to}`;
  return `Underlined: the window at step ${pair.step}, ${where} of ${count}. Dot: trained so far; ring: replayed after a quiz.`;
}

/** A problem's failed answers in order, the window that slides over them, and which of them were trained or replayed. */
export function Ribbon({ failed, open, pairs, onOpen }: RibbonProps) {
  const latest = pairs[0];
  const sources = new Map(pairs.toReversed().map((pair) => [pair.rejected_index, pair.source]));
  const move = (event: KeyboardEvent, index: number) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const target = failed[index + step];
    if (step === 0 || !target || !(event.currentTarget instanceof HTMLElement)) return;
    event.preventDefault();
    onOpen(target.answer.sample_index);
    const next = step > 0 ? event.currentTarget.nextElementSibling : event.currentTarget.previousElementSibling;
    if (next instanceof HTMLElement) next.focus();
  };
  return (
    <div class="ribbon">
      <div class="cells" role="radiogroup" aria-label="Failed answers of this problem">
        {failed.map(({ answer, copies }, index) => {
          const within = latest !== undefined && index >= latest.window[0] && index < latest.window[1];
          const source = sources.get(answer.sample_index);
          const look = errorLook(answer.error_type);
          const chosen = answer.sample_index === open;
          return (
            // biome-ignore lint/a11y/useSemanticElements: a radio input cannot hold the badge
            <button
              type="button"
              key={answer.sample_index}
              role="radio"
              aria-checked={chosen}
              tabIndex={chosen ? 0 : -1}
              aria-label={`Answer ${index + 1}, ${look.label}${copies > 1 ? `, written ${copies} times` : ""}${within ? ", in the window" : ""}${source ? `, trained by ${source}` : ""}`}
              title={copies > 1 ? `${look.label}, written ${copies} times` : look.label}
              class={`cell ${within ? "within" : ""} ${source ?? ""}`}
              onClick={() => onOpen(answer.sample_index)}
              onKeyDown={(event) => move(event, index)}
            >
              <TypeBadge errorType={answer.error_type} />
            </button>
          );
        })}
      </div>
      <p class="caption">{windowText(latest, failed.length)}</p>
    </div>
  );
}
