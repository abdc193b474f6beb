// What the page asks of the engine beside a run: adapters that are kept side by side, single prompts, log-probabilities, whether the
// driver computes what it should, and how fast it is.
import type { Engine } from "../ap2o/engine_student.ts";
import { EngineStudent } from "../ap2o/engine_student.ts";
import { benchGemm, gemmShapes } from "../bench/gemm.ts";
import { measureRoofline } from "../bench/roofline.ts";
import { InputError } from "../input_error.ts";
import { type ModelFiles, readJson } from "../model/files.ts";
import { type Adapter, adapterFromFile, freeAdapter } from "../model/lora.ts";
import type { AdapterFile } from "../model/peft.ts";
import { streamOf } from "../random.ts";
import { STOP_STRINGS } from "../tasks/prompt.ts";
import { pairLogps } from "../train/logps.ts";
import { tokenizePair } from "../train/pair.ts";
import type { KeptAdapter, MeasuredRates, Score } from "./protocol.ts";

/** The file of stored log-probabilities beside the embedded model. */
const PROBES = "probes.json";
/** Half of what separates a driver that rounds otherwise (1e-4) from one that is broken (1e-1), on a scale of tenfolds. */
const TRUSTED_DIFFERENCE = 3e-3;
/** Enough to notice a broken kernel, few enough to go unnoticed. */
const PROBES_CHECKED = 3;

/** Tokens of the pass whose product is measured: a batch of pairs, and less of it where the processor does the work. */
const TOKENS = 4096;
const SOFTWARE_TOKENS = 256;

/** Trained adapters that are held; a tab that trains for hours must not grow. */
const MOST_TRAINED = 8;

interface Kept extends KeptAdapter {
  file: AdapterFile;
  /** By a run of this tab: it is in that run's files, too. */
  trained: boolean;
}

export interface Check {
  tokens: number;
  /** Largest difference of a log-probability from the stored one. */
  largest: number;
  trusted: boolean;
}

export class Workbench {
  readonly #adapters = new Map<string, Kept>();
  #made = 0;

  /** Keeps an adapter's weights in memory; they are on the GPU only while they are used. */
  keep(name: string, file: AdapterFile, trained = false): void {
    this.#made += 1;
    const id = `adapter-${this.#made}`;
    const parameters = [...file.tensors.values()].reduce((sum, { data }) => sum + data.length, 0);
    this.#adapters.set(id, { id, name, r: file.config.r, parameters, file, trained });
  }

  /** Keeps what a run trained; of many the oldest go. */
  keepTrained(name: string, file: AdapterFile): void {
    this.keep(name, file, true);
    const trained = [...this.#adapters.values()].filter((kept) => kept.trained);
    for (const { id } of trained.slice(0, -MOST_TRAINED)) this.forget(id);
  }

  forget(id: string): void {
    this.#adapters.delete(id);
  }

  /** Those of another model fit no more. */
  forgetAll(): void {
    this.#adapters.clear();
  }

  list(): KeptAdapter[] {
    return [...this.#adapters.values()].map(({ id, name, r, parameters }) => ({ id, name, r, parameters }));
  }

  file(id: string): AdapterFile {
    const kept = this.#adapters.get(id);
    if (!kept) throw new InputError("That adapter is not kept any more; choose another.");
    return kept.file;
  }

  /** Answers one prompt, with an adapter or (null) with the base model alone. */
  async write(
    engine: Engine,
    id: string | null,
    prompt: string,
    options: { temperature: number; maxNewTokens: number; seed: number },
  ): Promise<{ text: string; ended: string }> {
    if (prompt.trim() === "") throw new InputError("The prompt is empty: write something for the model to go on from.");
    return this.#with(engine, id, async (adapter) => {
      const student = new EngineStudent(engine, adapter);
      const question = [{ prompt, stream: streamOf("prompt") }];
      for await (const { text, ended } of student.write(question, { ...options, stop: STOP_STRINGS, trained: true }))
        return { text, ended };
      throw new Error("The model gave no answer.");
    });
  }

  /** Log-probabilities of a completion, token by token, the end token included. */
  async score(engine: Engine, id: string | null, prompt: string, completion: string): Promise<Score> {
    const { tokenizer } = engine.model;
    const pair = tokenizePair(tokenizer, { prompt, chosen: completion });
    const [logps] = await this.#with(engine, id, (adapter) => pairLogps(engine.gpu, engine.model, adapter, [pair]));
    const tokens = pair.chosenIds.map((token, index) => ({ text: tokenizer.decode([token]), logp: logps.chosen[index] }));
    return { tokens, total: tokens.reduce((sum, { logp }) => sum + logp, 0) };
  }

  async #with<T>({ gpu, model }: Engine, id: string | null, work: (adapter: Adapter | null) => Promise<T>): Promise<T> {
    if (id === null) return work(null);
    const adapter = adapterFromFile(gpu, model, this.file(id));
    try {
      return await work(adapter);
    } finally {
      freeAdapter(gpu, adapter);
    }
  }
}

interface Probe {
  ids: number[];
  label_logps: number[];
}

function isProbe(value: unknown): value is Probe {
  if (typeof value !== "object" || value === null || !("ids" in value) || !("label_logps" in value)) return false;
  const numbers = (list: unknown) => Array.isArray(list) && list.every((entry) => typeof entry === "number");
  return numbers(value.ids) && numbers(value.label_logps);
}

/**
 * Computes a few log-probabilities that are stored beside the model, so that a driver that computes wrongly is named.
 * @returns null where the model has none stored
 */
export async function checkDriver({ gpu, model }: Engine, files: ModelFiles): Promise<Check | null> {
  const json = await readJson(files, PROBES);
  if (typeof json !== "object" || json === null || !("probes" in json) || !Array.isArray(json.probes)) return null;
  const probes = json.probes.filter(isProbe).slice(0, PROBES_CHECKED);
  const pairs = probes.map(({ ids }) => ({ promptIds: ids.slice(0, 1), chosenIds: ids.slice(1), rejectedIds: [] }));
  const computed = await pairLogps(gpu, model, null, pairs);
  const differences = probes.flatMap(({ label_logps }, index) =>
    label_logps.map((logp, at) => Math.abs(logp - computed[index].chosen[at])),
  );
  const largest = differences.reduce((most, difference) => (difference <= most ? most : difference), 0); // NaN wins
  return { tokens: differences.length, largest, trusted: largest <= TRUSTED_DIFFERENCE };
}

/** The adapter's rates at best, and a layer's widest product forward and backward, as `errata bench` measures them. */
export async function measureRates({ gpu, model }: Engine): Promise<MeasuredRates> {
  const { dispatch_us, register_gflops, copy_gbps } = await measureRoofline(gpu);
  const widest = gemmShapes(model.config, [gpu.software ? SOFTWARE_TOKENS : TOKENS]).filter(({ name }) => name === "up");
  const rows = await benchGemm(gpu, widest, { peer: null, tiles: false, say: () => {} });
  const products = rows.map(({ name, shape, gflops, details: { tile } }) => ({ name, shape, gflops, tile: String(tile) }));
  return { dispatchMicroseconds: dispatch_us, gflops: register_gflops, copyGbps: copy_gbps, products };
}
