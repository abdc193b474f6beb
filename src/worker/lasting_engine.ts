// The device and the model on it, for as long as the page lives. A device that is lost is replaced by another one with the same model: at
// once where nothing goes on, else by whoever has work on it. There is never more than one opening at a time: all wait for the same.
import type { Engine } from "../ap2o/engine_student.ts";
import { openInTime, Patience } from "../ap2o/patience.ts";
import { PRESETS } from "../ap2o/presets.ts";
import { type AdapterInfo, adapterName, largestBinding, openDevice } from "../gpu/device.ts";
import { Gpu, GpuFailure } from "../gpu/gpu.ts";
import { InputError, messageOf } from "../input_error.ts";
import { readConfig } from "../model/config.ts";
import { type ModelFiles, readJson } from "../model/files.ts";
import { freeModel, loadModel, type Model } from "../model/model.ts";
import { type Opened, openTuned, tunedTiles, tuningKey } from "../model/tuner.ts";
import { tileStore } from "../storage/tile_store.ts";
import { PACK_TOKENS } from "../train/logps.ts";
import { explainRoom, fittingNeeds, type MemoryNeeds, planMemory } from "../train/memory_plan.ts";
import type { ModelSources } from "./model_sources.ts";
import type { Event, ModelDtype, ModelSource } from "./protocol.ts";
import { checkDriver } from "./workbench.ts";

/** Tokens of a long prompt among small problems: the plan before loading does not know the problems yet. */
const PLANNED_PROMPT = 128;

const now = () => performance.now();

/** Which model, and how its weights are held. */
interface Wanted {
  readonly source: ModelSource;
  readonly dtype: ModelDtype;
}

/** A page has nothing but texts for a model. @throws InputError where it has no tokenizer */
export async function readsTexts({ tokenizer }: Pick<Model, "tokenizer">): Promise<void> {
  tokenizer.encode("");
}

export class LastingEngine {
  readonly #send: (event: Event) => void;
  readonly #sources: ModelSources;
  #base = "";
  #power: GPUPowerPreference = "high-performance";
  /** The model that is loaded, to be loaded again on another device. */
  #wanted: Wanted = { source: { kind: "embedded" }, dtype: "f16" };
  #engine: Engine | null = null;
  /** The engine's device was lost, and none is open in its place. */
  #lost = false;
  #opening: Promise<Engine> | null = null;
  /** How many pieces of work go on that see to a loss themselves. */
  #holders = 0;
  readonly #patience = new Patience({ kept: () => "nothing is lost", told: () => {}, now });

  constructor(send: (event: Event) => void, sources: ModelSources) {
    this.#send = send;
    this.#sources = sources;
  }

  /** The engine that was opened last, lost or not; null before the first. */
  get latest(): Engine | null {
    return this.#engine;
  }

  /**
   * Opens a device and loads the embedded model onto it.
   * @param base address of the page's folder
   */
  async open(base: string, power: GPUPowerPreference): Promise<void> {
    this.#base = base;
    this.#power = power;
    await this.#patience.insist(
      () => this.#share(() => this.#openOne()),
      async () => {},
    );
  }

  /**
   * The engine as soon as it is in order: another one where its device was lost.
   * @param failed an engine that failed its caller: it is given up, unless that was done already
   * @throws GpuFailure where no other can be opened
   */
  async another(failed: Engine | null = null): Promise<Engine> {
    if (this.#opening) return this.#opening;
    if (!this.#engine) throw new InputError("No model is loaded: wait until it is, or reload the page.");
    return this.#lost || failed === this.#engine ? this.#share(() => openInTime(() => this.#openOne())) : this.#engine;
  }

  /**
   * Does it on the engine; where the GPU fails, again on another one.
   * @throws InputError with advice where it fails too often
   */
  use<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    return this.hold(async () => {
      let engine = await this.another();
      const recover = async () => {
        engine = await this.another(engine);
      };
      return this.#patience.insist(() => work(engine), recover);
    });
  }

  /** Does what sees to a loss itself, by `another`; what is lost when it is done is replaced then. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    this.#holders += 1;
    try {
      return await work();
    } finally {
      this.#holders -= 1;
      this.#replaceLost();
    }
  }

  /** Another model in place of the one that is loaded; that one stays where the new one cannot be loaded. */
  replaceModel(wanted: Wanted): Promise<void> {
    return this.use(async (before) => {
      const { gpu, device } = before;
      this.#engine = await this.#load(gpu, device, wanted);
      this.#wanted = { ...wanted, source: withoutToken(wanted.source) };
      freeModel(gpu, before.model);
    });
  }

  #share(open: () => Promise<Engine>): Promise<Engine> {
    this.#opening ??= open().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  /** Opens a device and loads the model onto it; what was on the one before is given up. */
  async #openOne(): Promise<Engine> {
    const before = this.#engine;
    before?.gpu.destroy();
    this.#lost = before !== null;
    const { gpu, adapter } = before ? await this.#openDevice() : await this.#openTuned();
    let gone = false;
    gpu.device.lost.then(() => {
      gone = true;
      this.#lose(gpu);
    });
    try {
      if (before) gpu.tiles = before.gpu.tiles; // the same kernels as before
      const engine = await this.#load(gpu, adapter, this.#wanted);
      if (gone) throw new GpuFailure("the GPU device was lost while the model was loaded");
      if (before) this.#tellOther(before.device, adapter);
      this.#engine = engine;
      this.#lost = false;
      return engine;
    } catch (error) {
      gpu.destroy();
      throw error;
    }
  }

  #tellOther(before: AdapterInfo, now: AdapterInfo): void {
    if (adapterName(before) === adapterName(now)) return;
    const message = `The GPU that was lost gave way to another one (${adapterName(now).trim()}): from here on numbers may differ in the last digits.`;
    this.#send({ type: "warning", message });
  }

  async #openDevice(): Promise<Opened> {
    const { device, adapter } = await openDevice(this.#power);
    this.#send({ type: "device", device: adapter });
    return { gpu: new Gpu(device), adapter };
  }

  #openTuned(): Promise<Opened> {
    const tune = async ({ gpu, adapter }: Opened) => {
      const label = "Choosing kernels for this GPU";
      this.#send({ type: "progress", label, done: 0, total: 1 });
      const tiles = await tunedTiles(gpu, tuningKey(adapter, navigator.userAgent), tileStore());
      this.#send({ type: "progress", label, done: 1, total: 1 });
      return tiles;
    };
    return openTuned(
      () => this.#openDevice(),
      tune,
      (message) => this.#send({ type: "warning", message }),
    );
  }

  /** A loaded model that was checked; a device that was lost meanwhile fails either. */
  async #load(gpu: Gpu, device: AdapterInfo, { source, dtype }: Wanted): Promise<Engine> {
    const files = await this.#sources.files(source, this.#base);
    const name = source.kind === "embedded" ? "the embedded model" : files.id;
    const onProgress = (done: number, total: number) =>
      this.#send({ type: "progress", label: `Loading ${name}: ${done} of ${total} tensors`, done, total });
    const advise = await this.#tellPlan(files, dtype, largestBinding(device));
    const model = await loadModel(gpu, files, { dtype, onProgress, check: readsTexts, advise });
    const engine = { gpu, model, device };
    try {
      const check = await checkDriver(engine, files);
      const { id, parameters, config } = model;
      const { vocabulary: vocabularySize, layers, contextLength } = config;
      this.#send({ type: "model", model: { id, parameters, dtype: model.dtype, vocabularySize, layers, contextLength } });
      if (check) this.#send({ type: "checked", ...check });
      if (source.kind === "remote") this.#send({ type: "models", models: await this.#sources.list() });
    } catch (error) {
      freeModel(gpu, model);
      throw error;
    }
    return engine;
  }

  /**
   * Tells what the model and its training will take, before any of it is allocated; gives what to say where there is room for so many bytes alone.
   * @param tensor bytes of the largest tensor that the adapter binds
   * @throws InputError where no plan fits the adapter
   */
  async #tellPlan(files: ModelFiles, dtype: ModelDtype, tensor: number): Promise<(bytes: number) => string | null> {
    const json = await readJson(files, "config.json");
    if (json === null) return () => null; // loading says what is missing
    const config = readConfig(json, `${files.id}/config.json`);
    const needs: MemoryNeeds = {
      dtype,
      lora: PRESETS.demo,
      training: { tokens: PACK_TOKENS, checkpoint: "all" },
      sampling: { batch: 64, longestPrompt: PLANNED_PROMPT, maxNewTokens: PRESETS.demo.max_new_tokens },
    };
    const explain = (budget: number) => explainRoom(files.id, config, needs, { budget, tensor })?.replaceAll("--", "") ?? null; // the page has no flags
    const fitting = fittingNeeds(config, needs, { budget: Number.POSITIVE_INFINITY, tensor });
    if (!fitting) throw new InputError(explain(Number.POSITIVE_INFINITY) ?? `${files.id} does not fit.`);
    this.#send({ type: "planned", plan: { ...planMemory(config, fitting) } });
    return explain;
  }

  #lose(gpu: Gpu): void {
    if (this.#engine?.gpu !== gpu || this.#opening) return; // given up, or about to be
    this.#lost = true;
    this.#replaceLost();
  }

  #replaceLost(): void {
    if (this.#lost && this.#holders === 0 && !this.#opening) void this.#openIdle();
  }

  /** A device that is lost while nothing goes on is replaced at once. */
  async #openIdle(): Promise<void> {
    try {
      const lost = new GpuFailure("it was lost while nothing went on");
      await this.#patience.recover(lost, async () => void (await this.another()));
      this.#patience.worked();
    } catch (error) {
      this.#send({ type: "failed", id: null, message: messageOf(error) });
    }
  }
}

/** What was downloaded is found in the browser's store: the token is needed no more. */
function withoutToken(source: ModelSource): ModelSource {
  return source.kind === "remote" ? { ...source, token: null } : source;
}
