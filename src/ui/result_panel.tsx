import { errorLook } from "./error_types.ts";
import { percentText, pointsText } from "./number_text.ts";
import { type ErrorComparison, errorComparisons, orderTypes, type RunState } from "./run_state.ts";
import { useSession } from "./session.ts";
import { hueStyle, TypeBadge } from "./type_badge.tsx";

const SOURCE_NAMES = { exam: "Exam", quiz: "Quiz", evaluation: "Evaluation" };
const SOURCES = ["exam", "quiz", "evaluation"] as const;

function describe(shown: ErrorComparison, run: RunState): string {
  if (shown.source === "exam") return "Share of exam answers that pass all tests (pass@1). This is where the model starts.";
  if (shown.source === "quiz") {
    const when = shown.step === null ? "before the first step" : `before training → after step ${shown.step}`;
    return `pass@1 on validation problems, ${when}.`;
  }
  const result = run.evaluations.after ?? run.evaluations.before;
  const size = result ? ` (${result.problems} problems × ${result.n} answers)` : "";
  return shown.passNow === null
    ? `pass@1 on problems held out from training${size}, before training.`
    : `pass@1 on problems held out from training${size}, before → after${shown.step === null ? "" : ` (best step ${shown.step})`}.`;
}

function Headline({ shown, run }: { shown: ErrorComparison | undefined; run: RunState }) {
  if (!shown || shown.passBefore === null)
    return (
      <div class="headline empty">
        <p class="figure">–</p>
        <p class="caption">Here the share of right answers appears, before → now: the number that training should raise.</p>
      </div>
    );
  const change = shown.passNow === null ? null : shown.passNow - shown.passBefore;
  return (
    <div class="headline">
      <p class="figure">
        <span class={change === null ? "" : "was"}>{percentText(shown.passBefore)}</span>
        {shown.passNow !== null && change !== null && (
          <>
            <span class="arrow" aria-hidden="true">
              →
            </span>
            <span>{percentText(shown.passNow)}</span>
            <span class={`change ${change < 0 ? "worse" : ""}`}>{pointsText(change)}</span>
          </>
        )}
      </p>
      <p class="caption">{describe(shown, run)}</p>
    </div>
  );
}

interface BarProps {
  errorType: string;
  before: number;
  now: number | null;
  largest: number;
}

function barWidth(count: number, largest: number): Record<string, string> {
  return { width: `${(100 * count) / Math.max(1, largest)}%` };
}

function ErrorBar({ errorType, before, now, largest }: BarProps) {
  const session = useSession();
  const look = errorLook(errorType);
  const chosen = session.board.selection.value.errorType === errorType;
  const counts = now === null ? String(before) : `${before} → ${now}`;
  const spoken = now === null ? `${before}` : `${before} before, ${now} now`;
  return (
    <li>
      <button
        type="button"
        class="error-bar"
        title={`${look.meaning} Click to see its answers in the notebook.`}
        aria-pressed={chosen}
        aria-label={`${look.label}: ${spoken}. Show in the notebook`}
        onClick={() => session.board.select({ errorType: chosen ? null : errorType })}
      >
        <TypeBadge errorType={errorType} />
        <span class="name">{look.label}</span>
        <span class="counts">{counts}</span>
        <span class="track" style={hueStyle(errorType)}>
          <span class={now === null ? "now" : "before"} style={barWidth(before, largest)} />
          {now !== null && <span class="now" style={barWidth(now, largest)} />}
        </span>
      </button>
    </li>
  );
}

function SourceChoice({ all, shown }: { all: ErrorComparison[]; shown: ErrorComparison }) {
  const session = useSession();
  if (all.length < 2) return null;
  return (
    <fieldset class="segments" aria-label="Which answers are counted">
      {SOURCES.filter((source) => all.some((entry) => entry.source === source)).map((source) => (
        <button type="button" key={source} aria-pressed={source === shown.source} onClick={() => (session.board.comparison.value = source)}>
          {SOURCE_NAMES[source]}
        </button>
      ))}
    </fieldset>
  );
}

function ErrorBars({ all, shown }: { all: ErrorComparison[]; shown: ErrorComparison | undefined }) {
  const types = shown ? orderTypes(shown.before, shown.now) : [];
  const largest = shown ? Math.max(...types.map((type) => Math.max(shown.before[type] ?? 0, shown.now?.[type] ?? 0)), 1) : 1;
  return (
    <div class="errors">
      <div class="panel-head">
        <h3>Errors by type</h3>
        {shown && <SourceChoice all={all} shown={shown} />}
      </div>
      {shown && types.length > 0 ? (
        <>
          <ul class="error-bars">
            {types.map((type) => (
              <ErrorBar
                key={type}
                errorType={type}
                before={shown.before[type] ?? 0}
                now={shown.now ? (shown.now[type] ?? 0) : null}
                largest={largest}
              />
            ))}
          </ul>
          <p class="caption">
            {shown.now ? "Failed answers: pale bar before, solid bar now." : "Failed answers, before training."} Click a type to read them.
          </p>
        </>
      ) : (
        <p class="caption">Every failed answer is one count: which kinds of mistakes the model makes, and which of them go away.</p>
      )}
    </div>
  );
}

/** Does it help: pass@1 and the error counts, before and now. */
export function ResultPanel() {
  const session = useSession();
  const run = session.board.run;
  const all = errorComparisons(run);
  const shown = all.find(({ source }) => source === session.board.comparison.value) ?? all.at(-1);
  return (
    <section class="panel result" aria-labelledby="result-title">
      <h2 id="result-title">Right answers</h2>
      <Headline shown={shown} run={run} />
      <ErrorBars all={all} shown={shown} />
    </section>
  );
}
