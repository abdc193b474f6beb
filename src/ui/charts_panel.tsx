import type { StepMetrics } from "../records.ts";
import { Chart, type Line } from "./chart.tsx";
import { metricText, percentText } from "./number_text.ts";
import { useSession } from "./session.ts";

type Metric = keyof StepMetrics;

function column(metrics: readonly StepMetrics[], name: Metric): (number | null)[] {
  return metrics.map((metric) => metric[name] ?? null);
}

function pairLines(metrics: readonly StepMetrics[], chosen: Metric, rejected: Metric): Line[] {
  const lines: Line[] = [
    { name: "chosen", color: "--right", dashed: false, values: column(metrics, chosen) },
    { name: "rejected", color: "--wrong", dashed: true, values: column(metrics, rejected) },
  ];
  return lines.filter((line) => line.values.some((value) => value !== null));
}

function oneLine(name: string, values: (number | null)[]): Line[] {
  return values.some((value) => value !== null) ? [{ name, color: "--ink-2", dashed: false, values }] : [];
}

/** The curves that tell how the correction goes. */
export function ChartsPanel() {
  const session = useSession();
  const { steps: metrics, quizzes, bestStep } = session.run;
  const x = metrics.map((metric) => metric.step);
  const quizX = quizzes.map((quiz) => quiz.step);
  const sft = session.shown.value.method === "sft";
  const noPairs = sft && metrics.length > 0 ? "SFT trains on right answers alone: there is no pair to compare." : "";
  return (
    <section class="charts" aria-label="Curves over training steps">
      <Chart
        title="Loss"
        caption={
          sft ? "How surprising right answers are to the model." : "What training lowers. 0.69 is a coin toss between right and wrong."
        }
        x={x}
        lines={oneLine("loss", column(metrics, "loss"))}
        format={metricText}
        empty="Begins with the first training step."
      />
      <Chart
        title="Reward margin"
        caption="How much more the model now prefers right over wrong answers."
        x={x}
        lines={oneLine("margin", column(metrics, "rewards/margins"))}
        format={metricText}
        empty={noPairs || "Grows as right and wrong answers move apart."}
      />
      <Chart
        title="Log-probability"
        caption="Of whole answers. Chosen (solid) must not sink with rejected."
        x={x}
        lines={pairLines(metrics, "logps/chosen", "logps/rejected")}
        format={metricText}
        empty={noPairs || "How likely the model finds right and wrong answers."}
      />
      <Chart
        title="Quiz pass@1"
        caption={
          bestStep === null
            ? "Share of right quiz answers: proof that margins alone are not."
            : `Share of right quiz answers. Step ${bestStep} was best and is kept.`
        }
        x={quizX}
        lines={oneLine(
          "pass@1",
          quizzes.map((quiz) => quiz["pass@1"]),
        )}
        format={percentText}
        formatAxis={(share) => `${Math.round(share * 100)} %`}
        dots
        empty="One point for each quiz; the best one is kept."
      />
    </section>
  );
}
