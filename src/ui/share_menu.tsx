import { useRef } from "preact/hooks";
import { countOf } from "../counts.ts";
import { messageOf } from "../input_error.ts";
import { eventFile, eventFileName, scalarsOf } from "../tensorboard.ts";
import { csvOf, download, EXPORTS, type ExportKind, exportContent, metricsCsv, WHOLE_RUN } from "./exports.ts";
import { openZip } from "./open_files.ts";
import { type Session, useSession } from "./session.ts";

function tell(session: Session, error: unknown): void {
  session.notice.value = messageOf(error);
}

async function save(session: Session, kind: ExportKind): Promise<void> {
  try {
    download(kind.fileName, exportContent(kind, await session.exportFiles()));
    if (kind === WHOLE_RUN) session.markSaved();
  } catch (error) {
    tell(session, error);
  }
}

async function copyLink(session: Session): Promise<void> {
  try {
    await navigator.clipboard.writeText(location.href);
    session.notice.value = "The address is copied: it brings back these settings, this seed and this view.";
  } catch {
    session.notice.value = `The browser does not let the page copy; the address is ${location.href}`;
  }
}

function saveEvents({ board: { run } }: Session): void {
  const metrics = run.steps.map((step) => ({ ...step })); // an interface has no index signature, a copy of it has
  const scalars = scalarsOf(metrics, run.quizzes, Date.now() / 1000);
  download(eventFileName(scalars), eventFile(scalars));
}

function quizRows(session: Session): string {
  const { quizzes } = session.board.run;
  const types = [...new Set(quizzes.flatMap((quiz) => Object.keys(quiz.errors)))].sort();
  return csvOf(
    ["step", "pass@1", ...types],
    quizzes.map((quiz) => [quiz.step, quiz["pass@1"], ...types.map((type) => countOf(quiz.errors, type))]),
  );
}

function Entry({ name, purpose, disabled, onClick }: { name: string; purpose: string; disabled?: boolean; onClick(): void }) {
  return (
    <button type="button" disabled={disabled} onClick={onClick}>
      <strong>{name}</strong>
      <span>{purpose}</span>
    </button>
  );
}

/** Link, files of the run that is shown, and the way to open another. */
export function ShareMenu() {
  const session = useSession();
  const menu = useRef<HTMLFieldSetElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const ready = session.board.run.steps.length > 0 || session.state.value === "finished";
  const text = (content: string) => new TextEncoder().encode(content);
  const entry = (name: string, purpose: string, disabled: boolean, work: () => void) => (
    <Entry
      name={name}
      purpose={purpose}
      disabled={disabled}
      onClick={() => {
        menu.current?.hidePopover();
        work();
      }}
    />
  );
  return (
    <div class="share">
      <button type="button" popovertarget="share-menu" title="Link, files to take away, a run to open">
        Share
      </button>
      <fieldset id="share-menu" class="menu" popover="auto" ref={menu} aria-label="Share and open">
        {entry("Copy link", "settings, seed and view", false, () => void copyLink(session))}
        {EXPORTS.map((kind) => entry(kind.name, kind.purpose, !ready, () => void save(session, kind)))}
        {entry("Metrics", "every step as CSV", !ready, () => download("metrics.csv", text(metricsCsv(session.board.run.steps))))}
        {entry("TensorBoard", "every curve as an event file", !ready, () => saveEvents(session))}
        {entry("Quizzes", "pass@1 and errors by type as CSV", session.board.run.quizzes.length === 0, () =>
          download("quizzes.csv", text(quizRows(session))),
        )}
        {entry("Open a run …", "a zip of Errata; it can also be dropped on the page", session.busy.value, () => picker.current?.click())}
      </fieldset>
      <input
        ref={picker}
        type="file"
        accept=".zip"
        hidden
        aria-label="A run's zip"
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          if (file) void openZip(session, file);
          event.currentTarget.value = "";
        }}
      />
    </div>
  );
}
