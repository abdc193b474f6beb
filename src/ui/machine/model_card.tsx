// The model that is loaded, and the ways to another: a folder, a file, a hub, what is stored.
import { useSignal } from "@preact/signals";
import type { ModelDtype } from "../../worker/protocol.ts";
import { bytesText, countText } from "../number_text.ts";
import { useSession } from "../session.ts";
import { PickButton } from "./pick_button.tsx";

function LoadProgress() {
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

const DTYPES: readonly ModelDtype[] = ["f32", "f16", "int8", "int4"];

/** The public hub; schools and companies have mirrors. */
const PUBLIC_HUB = "https://huggingface.co";

function RemoteModel({ dtype, disabled }: { dtype: ModelDtype; disabled: boolean }) {
  const session = useSession();
  const name = useSignal("");
  const hub = useSignal(PUBLIC_HUB);
  return (
    <form
      class="remote"
      onSubmit={(event) => {
        event.preventDefault();
        void session.workbench.load({ kind: "remote", name: name.value.trim(), hub: hub.value }, dtype);
      }}
    >
      <input
        type="text"
        aria-label="Hub id or address of a model's folder"
        placeholder="owner/name, or an address"
        value={name.value}
        onInput={(event) => (name.value = event.currentTarget.value)}
      />
      <button type="submit" disabled={disabled || name.value.trim() === ""}>
        Download
      </button>
      <details>
        <summary>From another hub</summary>
        <input type="url" aria-label="Address of the hub" value={hub.value} onInput={(event) => (hub.value = event.currentTarget.value)} />
      </details>
    </form>
  );
}

/** What was downloaded stays in this browser until it is deleted. */
function StoredModels() {
  const session = useSession();
  const models = session.workbench.storedModels.value;
  const keep = async () => {
    const kept = (await navigator.storage.persisted()) || (await navigator.storage.persist());
    session.notice.value = kept
      ? "What is stored here is kept until you delete it."
      : "The browser did not promise to keep what is stored: it may delete it when the disk becomes full.";
  };
  return (
    <details onToggle={(event) => event.currentTarget.open && session.workbench.device.value && session.workbench.listModels()}>
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
            <button type="button" class="quiet" aria-label={`Delete ${id}`} onClick={() => session.workbench.removeModel(id)}>
              Delete
            </button>
          </li>
        ))}
      </ul>
      <button type="button" class="quiet" onClick={keep}>
        Ask the browser to keep them
      </button>
    </details>
  );
}

/** The model. */
export function ModelCard() {
  const session = useSession();
  const model = session.workbench.model.value;
  const dtype = useSignal<ModelDtype>("f16");
  const disabled = session.busy.value || session.workbench.device.value === null;
  return (
    <section class="panel" aria-labelledby="model-title">
      <h2 id="model-title">Model</h2>
      {model ? (
        <>
          <p class="large">
            {model.id} <span class="caption">{countText(model.parameters)} parameters</span>
          </p>
          <p class="caption">
            {model.layers} layers, {model.vocabularySize.toLocaleString("en-US")} tokens, context of {model.contextLength}, weights held as{" "}
            {model.dtype}.
          </p>
          {model.id === "errata-demo" && (
            <details>
              <summary>What it is, and what it is not</summary>
              <p class="details-text">
                Made from nothing for this page: a decoder of 0.87 million parameters that writes short Python functions for one form of
                prompt, a comment and a def line. It was trained on answers that are mostly wrong in the ways of beginners, so that there is
                something to correct.
              </p>
              <p class="details-text">
                It is no code assistant and no measure of any method: what it gains shows that the loop works, not how much the method helps
                a real model.
              </p>
            </details>
          )}
        </>
      ) : (
        <p class="caption">None is loaded.</p>
      )}
      <LoadProgress />
      <h3>Another one</h3>
      <p class="caption">
        A Hugging Face folder or a GGUF file of the kinds Qwen2, Qwen3 or Llama. It can also be dropped on the page; weights are read in
        slices.
      </p>
      <div class="panel-head">
        <PickButton
          label="Open a folder …"
          disabled={disabled}
          what="folder"
          take={(files) =>
            void session.workbench.load({ kind: "files", name: files[0].webkitRelativePath.split("/")[0] || "model", files }, dtype.value)
          }
        />
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
        <button type="button" disabled={disabled} onClick={() => session.workbench.load({ kind: "embedded" }, "f16")}>
          Embedded model
        </button>
      </div>
      <RemoteModel dtype={dtype.value} disabled={disabled} />
      <StoredModels />
    </section>
  );
}
