// The ways to another model: a folder or a file of this machine, a hub or an address, what is stored in this browser.
import type { ModelDtype } from "../../worker/protocol.ts";
import { bytesText } from "../number_text.ts";
import { useSession } from "../session.ts";
import { PickButton } from "./pick_button.tsx";

const DTYPES: readonly ModelDtype[] = ["f32", "f16", "int8", "int4"];

/** How far a model's loading is; a download can be broken off. */
export function LoadProgress() {
  const session = useSession();
  const loading = session.workbench.loading.value;
  if (!loading) return null;
  return (
    <p class="progress-line">
      {loading.label}
      <progress class="gauge" aria-label="Loading the model" max={loading.total} value={loading.done} />
      {loading.label.startsWith("Downloading") && (
        <button type="button" class="quiet" onClick={() => session.workbench.cancelLoad()}>
          Break off; what is here is kept
        </button>
      )}
    </p>
  );
}

function DtypeChoice() {
  const { dtype } = useSession().workbench;
  return (
    <label class="slider">
      <span>held as</span>
      <select
        value={dtype.value}
        onChange={(event) => (dtype.value = DTYPES.find((entry) => entry === event.currentTarget.value) ?? "f16")}
      >
        {DTYPES.map((entry) => (
          <option key={entry} value={entry}>
            {entry}
          </option>
        ))}
      </select>
    </label>
  );
}

/** A page that came over https may fetch nothing over plain http, but for this machine's own. */
function isMixedContent(hub: string): boolean {
  return location.protocol === "https:" && /^http:\/\/(?!localhost\b|127\.|\[::1\])/.test(hub.trim());
}

function RemoteModel({ disabled }: { disabled: boolean }) {
  const { workbench } = useSession();
  const { name, hub, token } = workbench.remote.value;
  const change = (part: Partial<typeof workbench.remote.value>) => (workbench.remote.value = { ...workbench.remote.value, ...part });
  return (
    <form
      class="remote"
      onSubmit={(event) => {
        event.preventDefault();
        void workbench.download(name.trim());
      }}
    >
      <input
        type="text"
        aria-label="Hub id or address of a model's folder"
        placeholder="owner/name, or an address"
        value={name}
        onInput={(event) => change({ name: event.currentTarget.value })}
      />
      <button type="submit" disabled={disabled || name.trim() === ""}>
        Download
      </button>
      <details>
        <summary>Another hub, gated models</summary>
        <label>
          <span class="caption">Address of the hub, or of a mirror of it</span>
          <input type="url" aria-label="Address of the hub" value={hub} onInput={(event) => change({ hub: event.currentTarget.value })} />
        </label>
        <label>
          <span class="caption">Hub token: sent to this hub alone, forgotten with the page</span>
          <input
            type="password"
            aria-label="Hub token"
            autocomplete="off"
            value={token}
            onInput={(event) => change({ token: event.currentTarget.value })}
          />
        </label>
      </details>
      {isMixedContent(hub) && (
        <p class="caption">
          This page came over https, from where a browser fetches nothing over plain http: open the page from localhost.
        </p>
      )}
    </form>
  );
}

/** What was downloaded stays in this browser until it is deleted. */
function StoredModels({ disabled }: { disabled: boolean }) {
  const session = useSession();
  const { workbench } = session;
  const models = workbench.storedModels.value;
  const keep = async () => {
    const kept = (await navigator.storage.persisted()) || (await navigator.storage.persist());
    session.notice.value = kept
      ? "What is stored here is kept until you delete it."
      : "The browser did not promise to keep what is stored: it may delete it when the disk becomes full.";
  };
  return (
    <details onToggle={(event) => event.currentTarget.open && workbench.listModels()}>
      <summary>Models stored in this browser</summary>
      <ul class="stored">
        {models?.length === 0 && <li class="caption">None.</li>}
        {models?.map(({ id, bytes, complete }) => (
          <li key={id}>
            <span>
              {id}{" "}
              <span class="caption">
                {bytesText(bytes)}
                {complete ? "" : ", not complete"}
              </span>
            </span>
            <span>
              <button
                type="button"
                class="quiet"
                disabled={disabled}
                aria-label={`${complete ? "Load" : "Go on with"} ${id}`}
                onClick={() => workbench.download(id)}
              >
                {complete ? "Load" : "Go on"}
              </button>{" "}
              <button type="button" class="quiet" disabled={disabled} aria-label={`Delete ${id}`} onClick={() => workbench.removeModel(id)}>
                Delete
              </button>
            </span>
          </li>
        ))}
      </ul>
      <button type="button" class="quiet" onClick={keep}>
        Ask the browser to keep them
      </button>
    </details>
  );
}

/** Everything that puts another model in place of the one that is loaded. */
export function OtherModel() {
  const session = useSession();
  const { workbench } = session;
  const disabled = session.busy.value || workbench.device.value === null || workbench.loading.value !== null;
  const open = (files: File[]) =>
    void workbench.load({ kind: "files", name: files[0].webkitRelativePath.split("/")[0] || files[0].name, files });
  return (
    <>
      <h3>Another one</h3>
      <p class="caption">
        A Hugging Face folder or a GGUF file of the kinds Qwen2, Qwen3 or Llama. It can also be dropped on the page; weights are read in
        slices.
      </p>
      <div class="panel-head">
        <PickButton label="Open a folder …" disabled={disabled} what="folder" take={open} />
        <PickButton label="Open a GGUF file …" disabled={disabled} what={{ endings: ".gguf" }} take={open} />
        <DtypeChoice />
        <button type="button" disabled={disabled} onClick={() => workbench.load({ kind: "embedded" })}>
          Embedded model
        </button>
      </div>
      <RemoteModel disabled={disabled} />
      <StoredModels disabled={disabled} />
    </>
  );
}
