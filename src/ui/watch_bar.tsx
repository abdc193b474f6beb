import type { OtherRun } from "./other_tabs.ts";
import { type Session, useSession } from "./session.ts";
import { METHODS, PRESETS } from "./url_config.ts";

function nameOf({ run: { method, preset, seed } }: OtherRun): string {
  const size = PRESETS.find(({ value }) => value === preset)?.label ?? preset;
  return `${size}, ${METHODS.find(({ value }) => value === method)?.label ?? method}, seed ${seed}`;
}

/** What is said while the other tab's run goes on, and after it. */
function textOf({ state }: OtherRun, watching: boolean): { title: string; text: string } {
  if (state === "gone")
    return { title: "The tab that trained was closed, or broke off.", text: "What it did is kept, and can go on here." };
  if (state === "finished") return { title: "The other tab’s run has finished.", text: "What is shown stays until another one begins." };
  const text = watching ? (state === "paused" ? "It is paused there." : "This one watches: what it shows is live.") : "";
  return { title: "Another tab of this browser is training.", text };
}

function leave(session: Session, { state }: OtherRun): void {
  if (state === "running" || state === "paused") void session.reset();
  else session.tabs.leave(); // what was watched stays on the board
}

/** That another tab trains, and whether this one watches it. */
export function WatchBar() {
  const session = useSession();
  const { other, watching } = session.tabs;
  if (!other.value || session.busy.value) return null;
  const { title, text } = textOf(other.value, watching.value);
  const shown = other.value;
  return (
    <section class="playback watch" aria-label="Another tab">
      <p>
        <strong>{title}</strong>{" "}
        <span class="caption">
          {nameOf(shown)}. {text}
        </span>
      </p>
      {watching.value ? (
        <button type="button" onClick={() => leave(session, shown)}>
          {shown.state === "running" || shown.state === "paused" ? "Stop watching" : "Close"}
        </button>
      ) : (
        <button type="button" onClick={() => void session.tabs.join()}>
          Watch it
        </button>
      )}
    </section>
  );
}
