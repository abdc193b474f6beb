import type { PromptStyle } from "../../worker/protocol.ts";
import { useSession } from "../session.ts";
import { PickButton } from "./pick_button.tsx";

const PROMPT_STYLES: readonly { value: PromptStyle; label: string }[] = [
  { value: "raw", label: "as they stand" },
  { value: "fence", label: "in a chat, answer begun (small instruct models)" },
  { value: "chat", label: "in a chat" },
  { value: "ap2o", label: "as in the paper" },
];

function PromptChoice() {
  const session = useSession();
  const { promptStyle } = session.workbench;
  return (
    <label class="slider">
      <span>Put to the model</span>
      <select
        value={promptStyle.value ?? ""}
        disabled={session.busy.value}
        onChange={(event) => (promptStyle.value = PROMPT_STYLES.find(({ value }) => value === event.currentTarget.value)?.value ?? null)}
      >
        <option value="">as the chosen size says</option>
        {PROMPT_STYLES.map(({ value, label }) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
}

/** A text of the page's settings, taken when it is left. */
function TextSetting({ name, example, value, take }: { name: string; example: string; value: string; take: (value: string) => void }) {
  const { busy } = useSession();
  return (
    <label>
      <span class="caption">{name}</span>
      <input
        type="text"
        placeholder={example}
        value={value}
        disabled={busy.value}
        onChange={(event) => take(event.currentTarget.value.trim())}
      />
    </label>
  );
}

/** What the menus above the page do not say of the next run; the address carries it, too. */
function MoreSettings() {
  const session = useSession();
  const { set, taskIds } = session.config.value;
  return (
    <details class="more-settings" open={set !== "" || taskIds !== ""}>
      <summary>More settings of the next run</summary>
      <TextSetting name="Only these problems" example="3, 12, 767" value={taskIds} take={(text) => session.configure({ taskIds: text })} />
      <TextSetting
        name="Settings by their names in run.json's config, in place of the chosen size's"
        example="exam_n=8, steps=12, learning_rate=2e-4"
        value={set}
        take={(text) => session.configure({ set: text })}
      />
    </details>
  );
}

/** The problems of the runs to come. */
export function ProblemsCard() {
  const session = useSession();
  const problems = session.workbench.problems.value;
  const disabled = session.busy.value || session.workbench.device.value === null;
  return (
    <section class="panel" aria-labelledby="problems-title">
      <h2 id="problems-title">Problems</h2>
      <p>
        {problems
          ? `${problems.name}: ${problems.train} to train on, ${problems.validation} for the quiz, ${problems.evaluation} held out.`
          : "The embedded ones: 200 small Python functions."}
      </p>
      <p class="caption">
        Errata's own format, also in Markdown, MBPP, HumanEval, EvalPlus, LiveCodeBench, TACO or code_contests; gzipped or not.
      </p>
      <div class="panel-head">
        <PickButton
          label="Open a file …"
          name="A problem file"
          disabled={disabled}
          what={{ endings: ".json,.jsonl,.md,.markdown,.gz" }}
          take={([file]) => void session.workbench.takeProblems(file)}
        />
        <button type="button" disabled={disabled || problems === null} onClick={() => session.workbench.takeProblems(null)}>
          Embedded problems
        </button>
      </div>
      <PromptChoice />
      <MoreSettings />
    </section>
  );
}
