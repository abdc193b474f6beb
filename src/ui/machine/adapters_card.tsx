import { countText } from "../number_text.ts";
import { openFiles } from "../open_files.ts";
import { useSession } from "../session.ts";
import { PickButton } from "./pick_button.tsx";

/** The adapters that are kept, and which of them the next run trains on. */
export function AdaptersCard() {
  const session = useSession();
  const { adapters, from } = session.workbench;
  const disabled = session.busy.value || session.workbench.model.value === null;
  const choice = (id: string | null, name: string, note: string) => (
    <label key={id ?? "new"}>
      <input type="radio" name="from" disabled={disabled} checked={from.value === id} onChange={() => (from.value = id)} />
      <span>
        {name} <span class="caption">{note}</span>
      </span>
    </label>
  );
  return (
    <section class="panel" aria-labelledby="adapters-title">
      <h2 id="adapters-title">Adapters</h2>
      <p class="caption">
        Kept side by side: the view “Answers” asks the model with any of them. The next run trains on the one that is chosen here; its exam
        is sat with it, too.
      </p>
      <fieldset class="adapters">
        <legend class="unseen">The next run begins with</legend>
        {choice(null, "A new adapter", "changes nothing before it is trained")}
        {adapters.value.map(({ id, name, r, parameters }) => (
          <div key={id}>
            {choice(id, name, `rank ${r}, ${countText(parameters)} parameters`)}
            <button
              type="button"
              class="quiet"
              aria-label={`Forget ${name}`}
              disabled={disabled}
              onClick={() => session.workbench.removeAdapter(id)}
            >
              Forget
            </button>
          </div>
        ))}
      </fieldset>
      <PickButton label="Open an adapter's folder …" disabled={disabled} what="folder" take={(files) => void openFiles(session, files)} />
    </section>
  );
}
