import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Chart } from "../charts/chart.tsx";
import { SmoothingSlider } from "../charts/curves_view.tsx";
import { errorLook } from "../error_types.ts";
import { percentText, pointsText } from "../number_text.ts";
import { RECORDINGS } from "../recorded/recordings.ts";
import { type Session, useSession } from "../session.ts";
import { hueStyle, TypeBadge } from "../type_badge.tsx";
import { type Curve, errorTable, letterOf, overlay, problemTable, resultRows, runColor, settingDifferences } from "./comparison.ts";
import type { ShelvedRun } from "./shelf.ts";

/** The chosen runs, in the order in which they were chosen. */
function chosenRuns(session: Session): ShelvedRun[] {
  return session.config.value.compare.flatMap((id) => session.shelf.find(id) ?? []);
}

function toggle(session: Session, id: string): void {
  const { compare } = session.config.value;
  session.configure({ compare: compare.includes(id) ? compare.filter((entry) => entry !== id) : [...compare, id] });
}

function RunChoice() {
  const session = useSession();
  const { shelf } = session;
  const { compare } = session.config.value;
  const recorded = RECORDINGS.map(({ id, title }) => ({ id, title, note: "recorded, comes with the page" }));
  const own = shelf.runs.value.filter(({ id }) => !RECORDINGS.some((recording) => recording.id === id));
  const entries = [...recorded, ...own.map(({ id, title, record }) => ({ id, title, note: `${record.method}, seed ${record.seed}` }))];
  return (
    <fieldset class="run-choice">
      <legend class="unseen">Runs to compare</legend>
      {entries.map(({ id, title, note }) => {
        const place = compare.indexOf(id);
        return (
          <label key={id}>
            <input type="checkbox" checked={place >= 0} onChange={() => toggle(session, id)} />
            <span class="letter" style={place >= 0 ? { "--series": runColor(place) } : {}}>
              {place >= 0 ? letterOf(place) : ""}
            </span>
            <span>
              {title}
              <span class="caption">{shelf.fetching.value.includes(id) ? "is being fetched …" : note}</span>
            </span>
          </label>
        );
      })}
      <p class="caption">Runs made in this tab, and zips dropped on the page, are listed here, too.</p>
      {shelf.failure.value && <p role="alert">{shelf.failure.value}</p>}
    </fieldset>
  );
}

const CURVES: readonly { value: string; label: string; curve: Curve }[] = [
  { value: "margin", label: "Reward margin", curve: { metric: "rewards/margins" } },
  { value: "loss", label: "Loss", curve: { metric: "loss" } },
  { value: "accuracy", label: "Reward accuracy", curve: { metric: "rewards/accuracies" } },
  { value: "chosen", label: "Log-probability of chosen", curve: { metric: "logps/chosen" } },
  { value: "rejected", label: "Log-probability of rejected", curve: { metric: "logps/rejected" } },
  { value: "gradient", label: "Gradient norm", curve: { metric: "grad_norm" } },
];

function ErrorCurve({ runs }: { runs: readonly ShelvedRun[] }) {
  const types = [...new Set(runs.flatMap(({ run }) => run.quizzes.flatMap((quiz) => Object.keys(quiz.errors))))];
  const chosen = useSignal<string | null>(null);
  const type = chosen.value !== null && types.includes(chosen.value) ? chosen.value : (types[0] ?? "AssertionError");
  return (
    <div class="chosen-chart">
      <label class="slider">
        <span>Quiz errors of type</span>
        <select value={type} onChange={(event) => (chosen.value = event.currentTarget.value)}>
          {types.map((entry) => (
            <option key={entry} value={entry}>
              {errorLook(entry).label}
            </option>
          ))}
        </select>
      </label>
      <Chart spec={overlay(runs, { errorType: type }, errorLook(type).label, "Failed quiz answers of this type, over optimiser steps.")} />
    </div>
  );
}

function MetricCurve({ runs }: { runs: readonly ShelvedRun[] }) {
  const chosen = useSignal(CURVES[0]);
  return (
    <div class="chosen-chart">
      <label class="slider">
        <span>Curve</span>
        <select
          value={chosen.value.value}
          onChange={(event) => (chosen.value = CURVES.find(({ value }) => value === event.currentTarget.value) ?? CURVES[0])}
        >
          {CURVES.map(({ value, label }) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <Chart spec={overlay(runs, chosen.value.curve, chosen.value.label, "Of training, over optimiser steps.")} />
    </div>
  );
}

const orDash = (value: number | null, text: (value: number) => string) => (value === null ? "–" : text(value));

function Results({ runs }: { runs: readonly ShelvedRun[] }) {
  return (
    <section class="panel" aria-labelledby="results-title">
      <h3 id="results-title">Right answers on problems held out from training</h3>
      <div class="table-scroll">
        <table>
          <thead>
            <tr>
              {["Run", "Before", "After", "Gain", "Spread", "pass@5", "pass@10", "Last step", "Failed answers"].map((name) => (
                <th scope="col" key={name}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {resultRows(runs).map((row) => (
              <tr key={row.label}>
                <th scope="row">{row.label}</th>
                <td>{orDash(row.before, percentText)}</td>
                <td>
                  <strong>{orDash(row.after, percentText)}</strong>
                </td>
                <td>{row.before !== null && row.after !== null ? pointsText(row.after - row.before) : "–"}</td>
                <td>{orDash(row.spread, (spread) => `± ${(100 * spread).toFixed(1)}`)}</td>
                <td>{orDash(row.pass5, percentText)}</td>
                <td>{orDash(row.pass10, percentText)}</td>
                <td>{orDash(row.last, percentText)}</td>
                <td>
                  {orDash(row.failedBefore, (n) => n.toFixed(0))} → {orDash(row.failedAfter, (n) => n.toFixed(0))}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="caption">
        After is the checkpoint of the best quiz. Spread is the standard deviation over runs of one method; one run has none.
      </p>
    </section>
  );
}

/** Counts above this are cut off where the switch says so, as in the paper's figure 2. */
const CLIP = 50;

function widthOf(count: number, largest: number, log: boolean): Record<string, string> {
  const share = log ? Math.log1p(count) / Math.log1p(Math.max(1, largest)) : count / Math.max(1, largest);
  return { width: `${100 * Math.min(1, share)}%` };
}

function ErrorsByRun({ runs }: { runs: readonly ShelvedRun[] }) {
  const clip = useSignal(false);
  const log = useSignal(false);
  const rows = errorTable(runs);
  const most = Math.max(1, ...rows.flatMap((row) => [row.before, ...row.after]));
  const largest = clip.value ? Math.min(CLIP, most) : most;
  const bar = (name: string, count: number, place: number | null) => (
    <li key={name}>
      <span class="letter" style={place === null ? {} : { "--series": runColor(place) }}>
        {place === null ? "·" : letterOf(place)}
      </span>
      <span class="track">
        <span class={place === null ? "before" : "now"} style={widthOf(count, largest, log.value)} />
      </span>
      <span class="counts">{clip.value && count > CLIP ? `${count} ›` : count}</span>
      <span class="unseen">{name}</span>
    </li>
  );
  return (
    <section class="panel" aria-labelledby="types-title">
      <div class="panel-head">
        <h3 id="types-title">Errors by type</h3>
        <label class="check">
          <input type="checkbox" checked={clip.value} onChange={() => (clip.value = !clip.value)} /> clip at {CLIP}
        </label>
        <label class="check">
          <input type="checkbox" checked={log.value} onChange={() => (log.value = !log.value)} /> log
        </label>
      </div>
      <p class="caption">Failed evaluation answers. Pale: before training; then after, run by run.</p>
      <div class="by-run">
        {rows.map((row) => (
          <div key={row.errorType} style={hueStyle(row.errorType)}>
            <h4>
              <TypeBadge errorType={row.errorType} /> {errorLook(row.errorType).label}
              {row.before === 0 && <span class="caption"> new</span>}
            </h4>
            <ul>
              {bar("before", row.before, null)}
              {row.after.map((count, place) => bar(`after, run ${letterOf(place)}`, count, place))}
            </ul>
          </div>
        ))}
      </div>
    </section>
  );
}

function Differences({ runs }: { runs: readonly ShelvedRun[] }) {
  const rows = settingDifferences(runs);
  return (
    <section class="panel" aria-labelledby="settings-title">
      <h3 id="settings-title">Settings that differ</h3>
      {rows.length === 0 ? (
        <p class="caption">None: the runs have the same settings.</p>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">Setting</th>
              {runs.map((run, place) => (
                <th scope="col" key={run.id}>
                  {letterOf(place)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ name, values }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                {values.map((value, place) => (
                  <td key={runs[place].id}>{value}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

const PROBLEMS_SHOWN = 12;

function SameProblems({ runs }: { runs: readonly ShelvedRun[] }) {
  const session = useSession();
  const rows = problemTable(runs).slice(0, PROBLEMS_SHOWN);
  return (
    <section class="panel" aria-labelledby="same-title">
      <h3 id="same-title">The same problems, before and after</h3>
      <p class="caption">Right answers of {rows[0]?.of ?? 0}. Those that moved most; a click shows the answers.</p>
      <table>
        <thead>
          <tr>
            <th scope="col">Problem</th>
            <th scope="col">Before</th>
            {runs.map((run, place) => (
              <th scope="col" key={run.id}>
                {letterOf(place)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.taskId}>
              <th scope="row">
                <button type="button" class="link" onClick={() => session.openAnswers(row.taskId)}>
                  {row.taskId}
                </button>
              </th>
              <td>{row.before}</td>
              {row.after.map((count, place) => (
                <td key={runs[place].id} class={count > row.before ? "better" : count < row.before ? "worse" : ""}>
                  {count}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Two or more runs over each other. */
export function CompareView() {
  const session = useSession();
  const { compare } = session.config.value;
  useEffect(() => {
    if (compare.length === 0) session.configure({ compare: ["h2l", "l2h"] });
    for (const id of compare) void session.shelf.fetch(id);
  }, [compare]);
  const runs = chosenRuns(session);
  return (
    <main class="view compare-view" aria-labelledby="compare-title">
      <div class="panel compare-side">
        <h2 id="compare-title">Compare</h2>
        <RunChoice />
        <SmoothingSlider />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: only what takes the focus scrolls by keyboard */}
      <section class="compare-body" tabIndex={0} aria-label="Comparison">
        {runs.length === 0 ? (
          <p class="panel blank caption">Choose two runs at the left. They are then drawn over each other.</p>
        ) : (
          <>
            <div class="charts three">
              <Chart spec={overlay(runs, "quiz", "Quiz pass@1", "Share of right quiz answers over optimiser steps.")} />
              <ErrorCurve runs={runs} />
              <MetricCurve runs={runs} />
            </div>
            <Results runs={runs} />
            <div class="compare-columns">
              <ErrorsByRun runs={runs} />
              <div class="stack">
                <SameProblems runs={runs} />
                <Differences runs={runs} />
              </div>
            </div>
          </>
        )}
      </section>
    </main>
  );
}
