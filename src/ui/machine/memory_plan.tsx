import { bytesText } from "../number_text.ts";
import { useSession } from "../session.ts";

const PLAN_NAMES: Record<string, string> = {
  weights: "Weights",
  lora: "LoRA and its gradients",
  optimizer: "Optimiser",
  activations: "Activations of training",
  cache: "Cache of sampling",
  scratch: "Scratch of sampling",
  total: "Together",
};

/** The plan of the model that is loaded; that of the run that is shown where none is. */
export function MemoryPlan() {
  const session = useSession();
  const own = session.workbench.plan.value;
  const plan = own ?? session.board.run.finished?.memoryPlan;
  if (typeof plan !== "object" || plan === null) return null;
  const rows = Object.entries(plan).filter((entry): entry is [string, number] => typeof entry[1] === "number");
  const total = rows.find(([name]) => name === "total")?.[1] ?? 1;
  return (
    <section class="panel" aria-labelledby="plan-title">
      <h2 id="plan-title">Memory</h2>
      <p class="caption">
        {own ? "Planned before the model was loaded, for training it with the sizes of the demo." : "Planned for the run that is shown."}
      </p>
      <ul class="plan">
        {rows.map(([name, bytes]) => (
          <li key={name}>
            <span>{PLAN_NAMES[name] ?? name}</span>
            <span class="track">
              <span class="now" style={{ width: `${(100 * bytes) / total}%` }} />
            </span>
            <span class="counts">{bytesText(bytes)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
