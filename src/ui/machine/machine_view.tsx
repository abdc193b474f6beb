import { type Signal, useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { messageOf } from "../../input_error.ts";
import type { Measured } from "../../worker/client.ts";
import type { DeviceInfo, ModelDtype } from "../../worker/protocol.ts";
import { KeptRuns } from "../kept_runs.tsx";
import { bytesText, countText, metricText } from "../number_text.ts";
import { useSession } from "../session.ts";
import { fasterAdapterHelp, isIntegratedAdapter, isSoftwareAdapter, webgpuHelp } from "../webgpu_help.ts";

function DeviceKind({ device }: { device: DeviceInfo }) {
  if (isSoftwareAdapter(device)) {
    return (
      <p>
        <strong>A software adapter</strong>: the processor does the work, some hundred times slower than a graphics card. The quick look
        still takes only minutes.
      </p>
    );
  }
  if (isIntegratedAdapter(device)) {
    return (
      <p>
        <strong>Probably the graphics on the processor's chip.</strong> If this machine has a second, faster one:{" "}
        {fasterAdapterHelp(navigator.userAgent)}
      </p>
    );
  }
  return null;
}

function PowerChoice() {
  const session = useSession();
  const { power } = session.config.value;
  const choose = (next: "high-performance" | "low-power") => {
    session.configure({ power: next });
    location.reload(); // a device is chosen when it is opened
  };
  return (
    <fieldset class="segments" disabled={session.busy.value} aria-label="Which GPU to ask for, on machines with two">
      <button type="button" aria-pressed={power === "high-performance"} onClick={() => choose("high-performance")}>
        Fast GPU
      </button>
      <button type="button" aria-pressed={power === "low-power"} onClick={() => choose("low-power")}>
        Saving GPU
      </button>
    </fieldset>
  );
}

function Check() {
  const session = useSession();
  const checked = session.workbench.checked.value;
  if (!checked) return null;
  const text = `${checked.tokens} log-probabilities were computed and compared with stored ones: the largest difference is ${metricText(checked.largest)}.`;
  return checked.trusted ? (
    <p>
      <strong>It computes what it should.</strong> {text}
    </p>
  ) : (
    <p class="bad" role="alert">
      <strong>This driver computes wrongly.</strong> {text} What is trained on it means nothing: update the driver, or choose another
      browser or GPU.
    </p>
  );
}

function Rates() {
  const session = useSession();
  const measured: Signal<Measured | null> = useSignal(null);
  const measuring = useSignal(false);
  const measure = async () => {
    measuring.value = true;
    try {
      measured.value = await session.workbench.measure();
    } catch (error) {
      session.notice.value = messageOf(error);
    } finally {
      measuring.value = false;
    }
  };
  return (
    <div class="panel-head">
      <button type="button" disabled={session.workbench.model.value === null || measuring.value} onClick={measure}>
        {measuring.value ? "Measuring …" : "Measure its speed"}
      </button>
      {measured.value && (
        <p>
          {metricText(measured.value.gflops)} GFLOP/s at best, {metricText(measured.value.copyGbps)} GB/s of copying,{" "}
          {metricText(measured.value.dispatchMicroseconds)} µs per dispatch
        </p>
      )}
    </div>
  );
}

function limitText(name: string, value: number): string {
  return /Size$/.test(name) ? bytesText(value) : value.toLocaleString("en-US");
}

function DeviceCard() {
  const session = useSession();
  const device = session.workbench.device.value;
  const failed = session.failure.value?.what === "device";
  return (
    <section class="panel" aria-labelledby="device-title">
      <div class="panel-head">
        <h2 id="device-title">GPU</h2>
        <PowerChoice />
      </div>
      {!device && !failed && <p class="caption">It is being opened …</p>}
      {failed && <Help />}
      {device && (
        <>
          <p class="large">{[device.vendor, device.architecture, device.description].filter(Boolean).join(" · ") || "unnamed adapter"}</p>
          <DeviceKind device={device} />
          <Check />
          <Rates />
          <dl class="facts">
            {Object.entries(device.limits).map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{limitText(name, value)}</dd>
              </div>
            ))}
          </dl>
          <details>
            <summary>{device.features.length} features</summary>
            <p class="details-text">{device.features.join(", ")}</p>
          </details>
        </>
      )}
    </section>
  );
}

function Help() {
  return (
    <>
      <p>This browser gives no GPU to train on. The recorded runs can be explored in full; to train, try this:</p>
      <dl class="advice">
        {webgpuHelp(navigator.userAgent, window.isSecureContext).map(({ title, text }) => (
          <div key={title}>
            <dt>{title}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={() => location.reload()}>
        Try again
      </button>
    </>
  );
}

const PLAN_NAMES: Record<string, string> = {
  weights: "Weights",
  lora: "LoRA and its gradients",
  optimizer: "Optimiser",
  activations: "Activations of training",
  cache: "Cache of sampling",
  scratch: "Scratch of sampling",
  total: "Together",
};

/** The plan of the model that is loaded; that of the run that is shown where none is. */
function MemoryPlan() {
  const session = useSession();
  const own = session.workbench.plan.value;
  const plan = own ?? session.run.finished?.memoryPlan;
  if (typeof plan !== "object" || plan === null) return null;
  const rows = Object.entries(plan).filter((entry): entry is [string, number] => typeof entry[1] === "number");
  const total = rows.find(([name]) => name === "total")?.[1] ?? 1;
  return (
    <section class="panel" aria-labelledby="plan-title">
      <h2 id="plan-title">Memory</h2>
      <p class="caption">
        {own ? "Planned before the model was loaded, for training it with the sizes of the demo." : "Planned for the run that is shown."}
      </p>
      <ul class="plan">
        {rows.map(([name, bytes]) => (
          <li key={name}>
            <span>{PLAN_NAMES[name] ?? name}</span>
            <span class="track">
              <span class="now" style={{ width: `${(100 * bytes) / total}%` }} />
            </span>
            <span class="counts">{bytesText(bytes)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function pickFolder(input: HTMLInputElement | null, take: (files: File[]) => void): void {
  const files = [...(input?.files ?? [])];
  if (input) input.value = "";
  if (files.length > 0) take(files);
}

function FolderButton({ label, disabled, take }: { label: string; disabled: boolean; take(files: File[]): void }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" disabled={disabled} onClick={() => input.current?.click()}>
        {label}
      </button>
      <input
        ref={input}
        type="file"
        hidden
        {...{ webkitdirectory: true }}
        aria-label={label}
        onChange={() => pickFolder(input.current, take)}
      />
    </>
  );
}

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

function ModelCard() {
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
        <FolderButton
          label="Open a folder …"
          disabled={disabled}
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

function ProblemsCard() {
  const session = useSession();
  const problems = session.workbench.problems.value;
  const input = useRef<HTMLInputElement>(null);
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
        <button type="button" disabled={disabled} onClick={() => input.current?.click()}>
          Open a file …
        </button>
        <input
          ref={input}
          type="file"
          hidden
          accept=".json,.jsonl,.gz"
          aria-label="A problem file"
          onChange={() => pickFolder(input.current, ([file]) => void session.workbench.takeProblems(file))}
        />
        <button type="button" disabled={disabled || problems === null} onClick={() => session.workbench.takeProblems(null)}>
          Embedded problems
        </button>
      </div>
    </section>
  );
}

function AdaptersCard() {
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
      <FolderButton label="Open an adapter's folder …" disabled={disabled} take={(files) => void session.openFiles(files)} />
    </section>
  );
}

/** What the page computes on and with: GPU, memory, model, problems, adapters. */
export function MachineView() {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: only what takes the focus scrolls by keyboard
    <main class="view machine-view" tabIndex={0} aria-label="Machine">
      <div class="stack">
        <DeviceCard />
        <MemoryPlan />
      </div>
      <div class="stack">
        <ModelCard />
        <ProblemsCard />
      </div>
      <div class="stack">
        <AdaptersCard />
        <KeptRuns />
      </div>
    </main>
  );
}
