import { KeptRuns } from "../kept_runs.tsx";
import { AdaptersCard } from "./adapters_card.tsx";
import { DeviceCard } from "./device_card.tsx";
import { MemoryPlan } from "./memory_plan.tsx";
import { ModelCard } from "./model_card.tsx";
import { ProblemsCard } from "./problems_card.tsx";

/** What the page computes on and with: GPU, memory, model, problems, adapters. */
export function MachineView() {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: only what takes the focus scrolls by keyboard
    <main class="view machine-view" tabIndex={0} aria-label="Machine">
      <div class="stack">
        <DeviceCard />
        <MemoryPlan />
      </div>
      <div class="stack">
        <ModelCard />
        <ProblemsCard />
      </div>
      <div class="stack">
        <AdaptersCard />
        <KeptRuns />
      </div>
    </main>
  );
}
