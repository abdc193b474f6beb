// What most commands begin with: the device, the model on it, the judge, the problems. Everything is looked at before the slow part.

import { createHash } from "node:crypto";
import { findChromium, softwareDriver } from "../../scripts/find_chromium.mjs";
import type { Engine } from "../ap2o/engine_student.ts";
import { Patience } from "../ap2o/patience.ts";
import { largestBinding, openDevice } from "../gpu/device.ts";
import { Gpu } from "../gpu/gpu.ts";
import type { TileChoices } from "../gpu/tiles.ts";
import { InputError, messageOf } from "../input_error.ts";
import { CHECKPOINTS } from "../model/activations.ts";
import type { ModelConfig } from "../model/config.ts";
import { type Adapter, adapterFromFile } from "../model/lora.ts";
import { loadModel, type Model } from "../model/model.ts";
import { type AdapterFile, readAdapter } from "../model/peft.ts";
import { type Opened, openTuned, tunedTiles, tuningKey } from "../model/tuner.ts";
import { WEIGHT_DTYPES } from "../model/weight_plan.ts";
import { openWeights } from "../model/weights.ts";
import type { Judge } from "../python/judge.ts";
import { PUBLIC_HUB } from "../storage/hub.ts";
import { type ProblemFile, readRunProblems, readWholeFile, selectProblems } from "../tasks/formats.ts";
import type { Problem } from "../tasks/problem.ts";
import { changesText, describePlan, explainRoom, type MemoryNeeds, planMemory, planToFit } from "../train/memory_plan.ts";
import { choiceFlag, listFlag, numberFlag, textFlag, type Values } from "./flags.ts";
import { folderFiles } from "./folder.ts";
import { LastingBrowserJudge } from "./lasting_browser.ts";
import { openModelFiles } from "./model_source.ts";
import { callerPath, DEMO_PROBLEMS, readInput } from "./paths.ts";
import type { Progress } from "./progress.ts";
import { recordedTiles, tileCache } from "./tile_cache.ts";

export const MODEL_FLAGS = {
  model: textFlag("PATH", "the model: a folder, a GGUF file, an address, or a hub's owner/name[/FILE.gguf] (the embedded one)", ""),
  "hub-url": textFlag("URL", "the hub, or a mirror of it", PUBLIC_HUB),
  dtype: choiceFlag(WEIGHT_DTYPES, "how its weights are kept on the GPU", "f32"),
  "memory-budget": numberFlag(
    "GB",
    "of the GPU's memory, 10^9 bytes: a pass keeps less and fewer answers are written at once; what does not fit is refused (no limit)",
    null,
    { min: 0 },
  ),
  kernels: textFlag("RUN.json", "take the tiles of kernels that this run recorded (the fastest on this adapter)", null),
  checkpoint: choiceFlag(
    CHECKPOINTS,
    "what training keeps of a forward pass, the rest is computed again: same results, less memory",
    "all",
  ),
} as const;

export type ModelValues = Values<typeof MODEL_FLAGS>;

export const ADAPTER_FLAG = { adapter: textFlag("FOLDER", "a PEFT adapter to put on the model", null) } as const;

export const PROBLEM_FLAGS = {
  problems: textFlag(
    "FILE",
    "problems: MBPP, HumanEval, EvalPlus, LiveCodeBench, TACO, Markdown ... (the embedded ones); see docs/problems.md",
    "",
  ),
  "task-ids": listFlag("A,B", "only these problems", null, (text) => text),
} as const;

export const SPLIT_FLAG = {
  "split-seed": numberFlag("S", "deals the problems of files that name no splits, whatever the --seed", 0, {
    integer: true,
    min: 0,
    max: 2 ** 32 - 1,
  }),
} as const;

/** What a command will need besides the weights. */
type Plan = (model: Pick<Model, "config" | "tokenizer">) => Promise<Partial<MemoryNeeds>>;

/**
 * Opens the device and loads the model onto it; where the GPU fails meanwhile, another one. Throws an InputError where the folder or the
 * adapter is missing or unfit.
 * @param plan is held against --memory-budget before anything is allocated
 */
export function openEngine(values: ModelValues, progress: Progress, plan?: Plan): Promise<Engine> {
  return patienceOf(progress, () => "nothing was begun").insist(
    () => openOnce(values, progress, plan && { plan }),
    async () => {},
  );
}

/** How long a command bears a GPU that fails. @param kept says what is left where it bears it no longer */
export function patienceOf(progress: Progress, kept: () => string): Patience {
  return new Patience({ told: (message) => progress.say(`warning: ${message}`), now: () => performance.now(), kept });
}

/** Opens it, or fails with the GPU. @param tiles the kernels to take; unless told, those of --kernels, or the fastest */
export async function openOnce(
  values: ModelValues,
  progress: Progress,
  { plan = async () => ({}), tiles }: { plan?: Plan; tiles?: TileChoices } = {},
): Promise<Engine> {
  const files = await openModelFiles(values.model, values["hub-url"], progress);
  const known = tiles ?? (values.kernels === null ? null : recordedTiles(callerPath(values.kernels)));
  const { gpu, adapter } = known ? await openGpu() : await openChosen(openGpu, progress);
  if (known) gpu.tiles = known;
  const onProgress = (done: number, total: number) => progress.show(`loading ${files.id}: ${done} of ${total} tensors`);
  const memory = { budget: values["memory-budget"] === null ? null : values["memory-budget"] * 1e9, checkpoint: values.checkpoint };
  let batch: number | undefined;
  let advise = (_bytes: number): string | null => null;
  const check = async (model: Pick<Model, "id" | "config" | "tokenizer">) => {
    const needs = { dtype: values.dtype, lora: null, training: null, sampling: null, ...(await plan(model)) };
    const room = { budget: memory.budget ?? Number.POSITIVE_INFINITY, tensor: largestBinding(adapter) };
    const fitting = planToFit(model.id, model.config, needs, room);
    advise = (bytes) => explainRoom(model.id, model.config, needs, { ...room, budget: bytes });
    memory.checkpoint = fitting.training?.checkpoint ?? memory.checkpoint;
    batch = fitting.sampling?.batch;
    progress.say(`GPU memory: ${describePlan(planMemory(model.config, fitting))}${changesText(needs, fitting)}`);
  };
  try {
    const model = await loadModel(gpu, files, { dtype: values.dtype, onProgress, check, advise: (bytes) => advise(bytes) });
    progress.say(
      `${model.id}: ${model.parameters.toLocaleString("en")} parameters on ${adapter.description || adapter.vendor || "the GPU"}`,
    );
    return { gpu, model, device: adapter, memory: { ...memory, ...(batch && { batch }) } };
  } catch (error) {
    gpu.destroy();
    throw error;
  }
}

/** What a model would be on the GPU by these flags, from its files alone. */
export async function modelIdentity(values: ModelValues, progress: Progress): Promise<Pick<Model, "id" | "dtype" | "sha256">> {
  const files = await openModelFiles(values.model, values["hub-url"], progress);
  return { id: files.id, dtype: values.dtype, sha256: await (await openWeights(files)).sha256() };
}

/** A device with the kernels that were measured once on this machine. */
export function openChosen<T extends Opened>(open: () => Promise<T>, progress: Progress): Promise<T> {
  progress.show("choosing kernels");
  const tune = ({ gpu, adapter }: Opened) => tunedTiles(gpu, tuningKey(adapter, `node ${process.version}`), tileCache());
  return openTuned(open, tune, (message) => progress.say(`warning: ${message}`));
}

/** Opens the device. Throws an InputError where there is none. */
export async function openGpu(): Promise<Opened> {
  offerSoftwareDriver();
  const { device, adapter } = await openDevice().catch((error: unknown) => {
    throw new InputError(messageOf(error));
  });
  return { gpu: new Gpu(device), adapter };
}

/** Lets Dawn fall back on the SwiftShader of the Chromium that judges, wherever it lies, after the machine's own drivers. */
function offerSoftwareDriver(): void {
  const chromium = findChromium();
  const driver = chromium && softwareDriver(chromium);
  if (driver) process.env.VK_ADD_DRIVER_FILES ??= driver;
}

/** The adapter of --adapter on the model, or null where none is named. */
export async function openAdapter(engine: Engine, folder: string | null): Promise<Adapter | null> {
  const file = await readAdapterFlag(folder, engine.model.config);
  return file && adapterFromFile(engine.gpu, engine.model, file);
}

/** The files of --adapter, checked against the model's config, or null where none is named. */
export async function readAdapterFlag(folder: string | null, config: ModelConfig): Promise<AdapterFile | null> {
  return folder === null ? null : readAdapter(await folderFiles(callerPath(folder)), config);
}

interface ProblemValues {
  readonly problems: string;
  readonly "task-ids": readonly string[] | null;
}

/** The problems of --problems, those of --task-ids where they are named; `splitSeed` decides the splits of files that name none. */
export function openProblems(values: ProblemValues, splitSeed: number): Pick<ProblemFile, "problems" | "oneSplit"> {
  const path = problemPath(values);
  const { problems, oneSplit } = readWholeFile(readInput(path, "problem file"), path, splitSeed);
  return { problems: selected(values, problems, path), oneSplit };
}

/** The same as a run takes them: dealt out where the file's format has one split alone, which is told. */
export function openRunProblems(values: ProblemValues, splitSeed: number, progress: Progress): readonly Problem[] {
  const path = problemPath(values);
  const { problems, warning } = readRunProblems(readInput(path, "problem file"), path, splitSeed);
  if (warning !== null) progress.say(`warning: ${warning}`);
  return selected(values, problems, path);
}

function problemPath({ problems }: Pick<ProblemValues, "problems">): string {
  return problems === "" ? DEMO_PROBLEMS : callerPath(problems);
}

function selected(values: ProblemValues, problems: readonly Problem[], path: string): readonly Problem[] {
  return values["task-ids"] === null ? problems : selectProblems(problems, values["task-ids"], path);
}

/** SHA-256 of the problem file. */
export function problemsChecksum(values: Pick<ProblemValues, "problems">): string {
  return createHash("sha256")
    .update(readInput(problemPath(values), "problem file"))
    .digest("hex");
}

/** Starts the sandbox in a headless Chromium. */
export async function openJudge(progress: Progress): Promise<Judge> {
  if (!findChromium()) throw new InputError("Judging needs a Chromium and none was found: install one, or name it in ERRATA_CHROMIUM.");
  progress.show("starting Python in the sandbox");
  const { openBrowserJudge } = await import("./judge_browser.ts"); // Playwright takes a while to load: only for who judges
  return LastingBrowserJudge.open(openBrowserJudge, (message) => progress.say(`warning: ${message}`));
}
