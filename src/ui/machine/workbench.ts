// What the page computes with, beside a run: GPU, model, problems, adapters; and what is asked of them singly.
import { type Signal, signal } from "@preact/signals";
import { messageOf } from "../../input_error.ts";
import type { EngineClient, Generated, Request } from "../../worker/client.ts";
import type {
  DeviceInfo,
  Event,
  KeptAdapter,
  MeasuredRates,
  ModelDtype,
  ModelInfo,
  ModelSource,
  PromptStyle,
  Score,
  StoredModel,
} from "../../worker/protocol.ts";

/** Id of the model that comes with the page. */
export const EMBEDDED_MODEL = "errata-demo";

/** The public hub; schools and companies have mirrors. */
const PUBLIC_HUB = "https://huggingface.co";

/** What is written in the form for downloads. */
export interface RemoteForm {
  /** Hub id or address. */
  name: string;
  hub: string;
  /** In memory alone: it is never stored, and in no address. */
  token: string;
}

export interface WorkbenchLinks {
  engine(): EngineClient;
  /** Shows a sentence in place. */
  tell(sentence: string): void;
  /** Of the page's settings: it decides the splits of problem files that name none, and what is sampled. */
  seed(): number;
}

/** What the engine tells of the workbench. */
export type WorkbenchEvent = Extract<
  Event,
  { type: "device" | "model" | "progress" | "checked" | "problems" | "planned" | "models" | "adapters" }
>;

export class Workbench {
  readonly device: Signal<DeviceInfo | null> = signal(null);
  readonly model: Signal<ModelInfo | null> = signal(null);
  readonly loading: Signal<{ label: string; done: number; total: number } | null> = signal(null);
  /** How the driver's log-probabilities compare with stored ones; null before they were computed. */
  readonly checked: Signal<Extract<Event, { type: "checked" }> | null> = signal(null);
  /** The problems of the runs to come; null: the embedded ones, not counted yet. */
  readonly problems: Signal<Extract<Event, { type: "problems" }> | null> = signal(null);
  /** Bytes by purpose that the loaded model and its training take, as planned before loading. */
  readonly plan: Signal<Record<string, number> | null> = signal(null);
  /** Models that were downloaded; null before they were asked for. */
  readonly storedModels: Signal<readonly StoredModel[] | null> = signal(null);
  readonly adapters: Signal<readonly KeptAdapter[]> = signal([]);
  /** Id of the adapter that the next run trains on; null: a new one. */
  readonly from: Signal<string | null> = signal(null);
  /** How problems are put to the model; null: as the preset says. */
  readonly promptStyle: Signal<PromptStyle | null> = signal(null);
  readonly remote: Signal<RemoteForm> = signal({ name: "", hub: PUBLIC_HUB, token: "" });
  /** How the weights of the next model are held. */
  readonly dtype: Signal<ModelDtype> = signal("f16");
  /** From a request for another model until its answer: the model is checked after its last tensor. */
  private replacing = false;
  private readonly links: WorkbenchLinks;

  constructor(links: WorkbenchLinks) {
    this.links = links;
  }

  /** Puts another model in place of the one that is loaded; says in place why where that fails, and that one stays. */
  async load(source: ModelSource): Promise<void> {
    this.loading.value = { label: "Opening the model", done: 0, total: 1 };
    this.replacing = true;
    await this.tryTo({ type: "load", source, dtype: source.kind === "embedded" ? "f16" : this.dtype.value });
    this.replacing = false;
    this.loading.value = null;
  }

  /** Loads a model by its hub id or address, from where the form says; one that is stored needs no network. */
  download(name: string): Promise<void> {
    const { hub, token } = this.remote.value;
    return this.load({ kind: "remote", name, hub: hub.trim(), token: token.trim() || null });
  }

  cancelLoad(): Promise<void> {
    return this.tryTo({ type: "cancelLoad" });
  }

  listModels(): Promise<void> {
    return this.tryTo({ type: "models" });
  }

  removeModel(model: string): Promise<void> {
    return this.tryTo({ type: "removeModel", model });
  }

  /** Takes a problem file for the runs to come; null: the embedded problems. */
  takeProblems(file: File | null): Promise<void> {
    return this.tryTo({ type: "problems", file });
  }

  /** Keeps an adapter (PEFT) beside the model. */
  addAdapter(name: string, files: readonly { path: string; bytes: Uint8Array }[]): Promise<void> {
    return this.tryTo({ type: "addAdapter", name, files: [...files] });
  }

  removeAdapter(adapter: string): Promise<void> {
    return this.tryTo({ type: "removeAdapter", adapter });
  }

  /** Asks the model a prompt. @throws Error with the engine's sentence */
  ask(prompt: string, adapter: string | null, temperature: number, maxNewTokens: number): Promise<Generated> {
    return this.links.engine().generate({ prompt, adapter, temperature, maxNewTokens, seed: this.links.seed() });
  }

  /** Log-probabilities of a completion. @throws Error with the engine's sentence */
  score(prompt: string, completion: string, adapter: string | null): Promise<Score> {
    return this.links.engine().score({ prompt, completion, adapter });
  }

  /** The adapter's rates. @throws Error with the engine's sentence */
  measure(): Promise<MeasuredRates> {
    return this.links.engine().measure();
  }

  receive(event: WorkbenchEvent): void {
    switch (event.type) {
      case "device":
        this.device.value = event.device;
        return;
      case "model":
        this.model.value = event.model;
        return;
      case "progress":
        this.loading.value = event.done < event.total || this.replacing ? event : null;
        return;
      case "checked":
        this.checked.value = event;
        return;
      case "problems":
        this.problems.value = event;
        return;
      case "planned":
        this.plan.value = event.plan;
        return;
      case "models":
        this.storedModels.value = event.models;
        return;
      case "adapters":
        this.adapters.value = event.adapters;
        this.leaveForgotten(event.adapters);
        return;
      default:
        event satisfies never;
    }
  }

  /** A run must not begin with another adapter than was chosen without a word. */
  private leaveForgotten(kept: readonly KeptAdapter[]): void {
    if (this.from.value === null || kept.some(({ id }) => id === this.from.value)) return;
    this.from.value = null;
    this.links.tell(
      "The adapter to train on is no longer kept beside the model: the next run begins with a new one, unless another is chosen.",
    );
  }

  private async tryTo(request: Request): Promise<void> {
    try {
      await this.links.engine().request(request);
    } catch (error) {
      this.links.tell(messageOf(error));
    }
  }
}
