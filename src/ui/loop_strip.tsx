import { durationText, percentText, pointsText, rateText } from "./number_text.ts";
import type { Progress, RunState, Station } from "./run_state.ts";
import { useSession } from "./session.ts";

interface Place {
  station: Station;
  name: string;
  caption: string;
}

const EXAM: Place = { station: "exam", name: "Exam", caption: "Many answers to every problem." };
const ANALYSIS: Place = { station: "analysis", name: "Analysis", caption: "Run them, sort the failures." };
const CORRECTION: Place = { station: "correction", name: "Correction", caption: "Training: right up, wrong down." };
const QUIZ: Place = { station: "quiz", name: "Quiz", caption: "What to practise again?" };

const UNITS: Record<Station, string> = {
  before: "answers",
  exam: "answers",
  analysis: "judged",
  correction: "steps",
  quiz: "answers",
  after: "answers",
};

function doneText(station: Station, progress: Progress): string {
  const count = `${progress.done.toLocaleString("en-US")} / ${progress.total.toLocaleString("en-US")} ${UNITS[station]}`;
  return station === "quiz" ? `${count} · quiz ${progress.rounds}` : count;
}

function paceText(progress: Progress): string {
  const parts = progress.rate === null ? [] : [rateText(progress.rate)];
  if (progress.secondsLeft !== null && progress.done < progress.total) parts.push(`${durationText(progress.secondsLeft)} left`);
  return parts.join(" · ");
}

function Gauge({ progress, label }: { progress: Progress | undefined; label: string }) {
  return <progress class="gauge" aria-label={label} max={Math.max(1, progress?.total ?? 1)} value={progress?.done ?? 0} />;
}

function StationCard({ place, run }: { place: Place; run: RunState }) {
  const progress = run.progress[place.station];
  const active = run.station === place.station;
  return (
    <li
      class={`station ${active ? "active" : ""} ${progress ? "" : "ahead"}`}
      data-station={place.station}
      aria-current={active ? "step" : undefined}
    >
      <h2>{place.name}</h2>
      <p class="caption">{place.caption}</p>
      <Gauge progress={progress} label={`${place.name}: done`} />
      <p class="numbers">
        <span>{progress ? doneText(place.station, progress) : "not begun"}</span>
        <span>{active && progress ? paceText(progress) : ""}</span>
      </p>
    </li>
  );
}

function gainText(run: RunState): string {
  const { before, after } = run.evaluations;
  return before && after ? `${pointsText(after["pass@1"] - before["pass@1"])} points` : "";
}

function EvaluationCard({ station, run }: { station: "before" | "after"; run: RunState }) {
  const progress = run.progress[station];
  const result = run.evaluations[station];
  const active = run.station === station;
  return (
    <li
      class={`station evaluation ${active ? "active" : ""} ${progress ? "" : "ahead"}`}
      data-station={station}
      aria-current={active ? "step" : undefined}
    >
      <h2>{station === "before" ? "Before" : "After"}</h2>
      {result ? (
        <p class="caption">
          <strong>{percentText(result["pass@1"])}</strong> pass@1 {station === "after" ? gainText(run) : ""}
        </p>
      ) : (
        <p class="caption">Held-out problems.</p>
      )}
      <Gauge progress={progress} label={`Evaluation ${station}: done`} />
      <p class="numbers">
        <span>{progress ? doneText(station, progress) : "not begun"}</span>
        <span>{active && progress ? paceText(progress) : ""}</span>
      </p>
    </li>
  );
}

/** Where the run is: the four stations between the evaluations before and after. */
export function LoopStrip() {
  const run = useSession().run;
  return (
    <ol class="strip" aria-label="Stations of the run">
      <StationCard place={EXAM} run={run} />
      <StationCard place={ANALYSIS} run={run} />
      <EvaluationCard station="before" run={run} />
      <StationCard place={CORRECTION} run={run} />
      <StationCard place={QUIZ} run={run} />
      <EvaluationCard station="after" run={run} />
    </ol>
  );
}
