import type { ComponentChildren } from "preact";
import { durationText, percentText, pointsText, rateText } from "./number_text.ts";
import type { Progress, RunState, Station } from "./run_state.ts";
import { useSession } from "./session.ts";

const UNITS: Record<Station, string> = {
  before: "answers",
  exam: "answers",
  analysis: "judged",
  correction: "steps",
  quiz: "answers",
  after: "answers",
};

function doneText(station: Station, progress: Progress, active: boolean): string {
  const count = `${progress.done.toLocaleString("en-US")} / ${progress.total.toLocaleString("en-US")} ${UNITS[station]}`;
  return active && progress.rate !== null ? `${count} · ${rateText(progress.rate)}` : count;
}

function leftText(station: Station, { done, total, secondsLeft }: Progress): string {
  if (done === total) return station === "correction" ? "" : "judging";
  return secondsLeft === null ? "" : `${durationText(secondsLeft)} left`;
}

interface CardProps {
  station: Station;
  name: string;
  run: RunState;
  class?: string;
  children: ComponentChildren;
}

function Card({ station, name, run, class: more = "", children }: CardProps) {
  const progress = run.progress[station];
  const active = run.station === station;
  const classes = ["station", more, active ? "active" : "", progress ? "" : "ahead"].filter(Boolean).join(" ");
  return (
    <li class={classes} data-station={station} aria-current={active ? "step" : undefined}>
      <div class="station-head">
        <h2>{name}</h2>
        {active && progress && <span>{leftText(station, progress)}</span>}
      </div>
      <p class="caption">{children}</p>
      <progress class="gauge" aria-label={`${name}: done`} max={Math.max(1, progress?.total ?? 1)} value={progress?.done ?? 0} />
      <p class="numbers">{progress ? doneText(station, progress, active) : active ? "first one under way" : "not begun"}</p>
    </li>
  );
}

function EvaluationCard({ station, run }: { station: "before" | "after"; run: RunState }) {
  const result = run.evaluations[station];
  const { before, after } = run.evaluations;
  const gain = station === "after" && before && after ? pointsText(after["pass@1"] - before["pass@1"]) : "";
  return (
    <Card station={station} name={station === "before" ? "Before" : "After"} run={run} class="evaluation">
      {result ? (
        <>
          <strong>{percentText(result["pass@1"])}</strong> pass@1 {gain}
        </>
      ) : (
        "Held-out problems."
      )}
    </Card>
  );
}

/** Where the run is: the four stations between the evaluations before and after. */
export function LoopStrip() {
  const run = useSession().board.run;
  const rounds = run.progress.quiz?.rounds ?? 0;
  return (
    <ol class="strip" aria-label="Stations of the run">
      <Card station="exam" name="Exam" run={run}>
        Many answers to every problem.
      </Card>
      <Card station="analysis" name="Analysis" run={run}>
        Run them, sort the failures.
      </Card>
      <EvaluationCard station="before" run={run} />
      <Card station="correction" name="Correction" run={run}>
        Training: right up, wrong down.
      </Card>
      <Card station="quiz" name={rounds > 1 ? `Quiz ${rounds}` : "Quiz"} run={run}>
        What to practise again?
      </Card>
      <EvaluationCard station="after" run={run} />
    </ol>
  );
}
