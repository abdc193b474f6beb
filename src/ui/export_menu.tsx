import { useRef } from "preact/hooks";
import { download, EXPORTS, type ExportKind, exportContent } from "./exports.ts";
import { useSession } from "./session.ts";

/** Adapter, pairs, answers or the whole run as files. */
export function ExportMenu() {
  const session = useSession();
  const menu = useRef<HTMLFieldSetElement>(null);
  const ready = session.run.steps.length > 0 || session.state.value === "finished";

  const save = async (kind: ExportKind) => {
    menu.current?.hidePopover();
    try {
      download(kind.fileName, exportContent(kind, await session.exportFiles()));
    } catch (error) {
      session.notice.value = error instanceof Error ? error.message : String(error);
    }
  };

  return (
    <div class="export">
      <button type="button" popovertarget="export-menu" disabled={!ready} title="Take files away: adapter, pairs, answers">
        Save
      </button>
      <fieldset id="export-menu" class="menu" popover="auto" ref={menu} aria-label="Save files">
        {EXPORTS.map((kind) => (
          <button type="button" key={kind.name} onClick={() => save(kind)}>
            <strong>{kind.name}</strong>
            <span>{kind.purpose}</span>
          </button>
        ))}
      </fieldset>
    </div>
  );
}
