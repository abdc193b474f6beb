import { useSession } from "../session.ts";
import { PickButton } from "./pick_button.tsx";

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
      <p class="caption">Errata's own format, MBPP or HumanEval, as .json or .jsonl, gzipped or not.</p>
      <div class="panel-head">
        <PickButton
          label="Open a file …"
          name="A problem file"
          disabled={disabled}
          what={{ endings: ".json,.jsonl,.gz" }}
          take={([file]) => void session.workbench.takeProblems(file)}
        />
        <button type="button" disabled={disabled || problems === null} onClick={() => session.workbench.takeProblems(null)}>
          Embedded problems
        </button>
      </div>
    </section>
  );
}
