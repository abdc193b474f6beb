import { UnfinishedRun } from "./kept_runs.tsx";
import { AskedModel } from "./machine/asked_model.tsx";
import { useSession } from "./session.ts";

const TITLES = { device: "No GPU here", model: "The model could not be loaded", run: "The run stopped" };

/** What went wrong, in place: failures that stop something, and the latest warning. */
export function Notices() {
  const session = useSession();
  const failure = session.failure.value;
  const warning = session.board.run.warnings.at(-1);
  const inLesson = session.lesson.step.value !== null; // a lesson works without a GPU
  const more = session.board.run.warnings.length - 1;
  return (
    <div class="notices">
      {failure && !(failure.what === "device" && inLesson) && (
        <p class={`notice ${failure.what === "device" ? "" : "failed"}`} role="alert">
          <span>
            <strong>{TITLES[failure.what]}.</strong> {failure.message}
            {failure.what === "device" && " The recorded run can be explored in full."}
          </span>
          {failure.what === "device" && (
            <button type="button" onClick={() => session.configure({ view: "machine" })}>
              How to get one
            </button>
          )}
        </p>
      )}
      {session.notice.value && (
        <p class="notice" role="alert">
          <span>{session.notice.value}</span>
          <button type="button" onClick={() => (session.notice.value = null)}>
            Close
          </button>
        </p>
      )}
      <AskedModel />
      <UnfinishedRun />
      {warning && (
        <p class="notice" role="status">
          {warning} {more > 0 ? `(${more} earlier)` : ""}
        </p>
      )}
    </div>
  );
}
