import { useSession } from "../session.ts";
import { Chart } from "./chart.tsx";
import { type ChartId, chartsOf } from "./chart_spec.ts";

const ON_THE_BOARD: readonly ChartId[] = ["loss", "margin", "logps", "quiz"];

/** The four curves that tell how the correction goes; the view "Curves" has them all. */
export function ChartsPanel() {
  const session = useSession();
  const charts = chartsOf(session.board.run, session.shown.value.method);
  return (
    <section class="charts" aria-label="Curves over training steps">
      {ON_THE_BOARD.map((id) => {
        const spec = charts.find((chart) => chart.id === id);
        return spec && <Chart key={id} spec={spec} />;
      })}
    </section>
  );
}
