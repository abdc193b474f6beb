// Runs that the browser keeps: the offer to go on with one that was cut short, and the list of all.
import { messageOf } from "../input_error.ts";
import type { KeptRun } from "../worker/protocol.ts";
import { download, exportContent, WHOLE_RUN } from "./exports.ts";
import { useSession } from "./session.ts";

function nameOf({ method, preset, seed, started }: KeptRun): string {
  const when = started === "" ? "" : `, ${new Date(started).toLocaleString()}`;
  return `${method}, ${preset}, seed ${seed}${when}`;
}

function sizeText(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** The offer to go on with the latest run that was cut short. */
export function UnfinishedRun() {
  const session = useSession();
  const run = session.kept.value.find(({ finished, started }) => !finished && started !== "");
  if (!run || session.busy.value || session.state.value === "loading" || session.lesson.step.value !== null) return null;
  return (
    <p class="notice unfinished" role="status">
      <span>
        <strong>An unfinished run</strong> is kept here ({nameOf(run)}, {run.steps} steps).
      </span>
      <button type="button" onClick={() => void session.goOn(run)}>
        Go on with it
      </button>
      <button type="button" onClick={() => void session.deleteRun(run)}>
        Discard it
      </button>
    </p>
  );
}

/** All runs that the browser keeps, with their sizes. */
export function KeptRuns() {
  const session = useSession();
  const runs = session.kept.value;
  const save = async (run: KeptRun) => {
    try {
      download(WHOLE_RUN.fileName, exportContent(WHOLE_RUN, await session.keptFiles(run)));
    } catch (error) {
      session.notice.value = messageOf(error);
    }
  };
  return (
    <section class="panel" aria-labelledby="kept-title">
      <h2 id="kept-title">Kept runs</h2>
      {runs.length === 0 && <p>The browser keeps none yet. A run is kept from its start, so that it can go on after a crash.</p>}
      <ul class="kept-runs">
        {runs.map((run) => (
          <li key={run.id}>
            <span>
              {nameOf(run)}: {run.finished ? "finished" : "unfinished"}, {run.steps} steps, {sizeText(run.bytes)}
            </span>{" "}
            {run.finished ? (
              <>
                <button type="button" onClick={() => void save(run)}>
                  Save
                </button>{" "}
                <button
                  type="button"
                  title="Keep its adapter beside the model: ask it in the view “Answers”, or train on from it"
                  disabled={session.workbench.model.value === null}
                  onClick={() => void session.takeAdapter(run, nameOf(run))}
                >
                  Take its adapter
                </button>
              </>
            ) : (
              <button type="button" disabled={session.busy.value} onClick={() => void session.goOn(run)}>
                Go on
              </button>
            )}{" "}
            <button type="button" onClick={() => void session.deleteRun(run)}>
              Delete
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
