import { useSession } from "../session.ts";
import { Chart } from "./chart.tsx";
import { chartsOf } from "./chart_spec.ts";

/** Every metric of the run, smoothed over raw. */
export function CurvesView() {
  const session = useSession();
  const charts = chartsOf(session.board.run, session.shown.value.method);
  return (
    <main class="view curves-view" aria-labelledby="curves-title">
      <div class="panel-head">
        <h2 id="curves-title">Curves</h2>
        <p class="caption curves-intro">
          Over optimiser steps. Pale: as measured; strong: smoothed. The button with three dots enlarges a chart, shows its data as a table,
          and saves it.
        </p>
        <SmoothingSlider />
      </div>
      <div class="charts all">
        {charts.map((spec) => (
          <Chart key={spec.id} spec={spec} explained />
        ))}
      </div>
    </main>
  );
}

/** How much of the past a smoothed curve keeps. */
export function SmoothingSlider() {
  const session = useSession();
  return (
    <label class="slider">
      <span>Smoothing</span>
      <input
        type="range"
        min={0}
        max={0.95}
        step={0.05}
        value={session.smoothing.value}
        onInput={(event) => (session.smoothing.value = Number(event.currentTarget.value))}
      />
    </label>
  );
}
