// The engine behind the protocol: opens the device, loads the embedded model, and runs the method as the page's commands say.

import * as v from "valibot";
import { checkConfig, type RunConfig } from "../ap2o/config.ts";
import { continuedStudent, type Engine, type EngineStudent, newStudent } from "../ap2o/engine_student.ts";
import { LastingStudent } from "../ap2o/lasting_student.ts";
import { LossLimit, MAX_LOSSES } from "../ap2o/loss_limit.ts";
import { configOf, PRESETS } from "../ap2o/presets.ts";
import { Run } from "../ap2o/run.ts";
import { appendsOf } from "../ap2o/run_files.ts";
import { type AdapterInfo, openDevice } from "../gpu/device.ts";
import { Gpu } from "../gpu/gpu.ts";
import { InputError, messageOf } from "../input_error.ts";
import { readConfig } from "../model/config.ts";
import { bytesFiles, type ModelFiles, readJson } from "../model/files.ts";
import { freeModel, loadModel } from "../model/model.ts";
import { type AdapterFile, readAdapter, writeAdapter } from "../model/peft.ts";
import { readTiles, tunedTiles, tuningKey } from "../model/tuner.ts";
import type { RunEvent } from "../records.ts";
import { carefulKeeper, reasonOf } from "../storage/careful_keeper.ts";
import { opfsFolder } from "../storage/opfs_folder.ts";
import { problemsChecksum, type RunFile, RunShelf } from "../storage/run_shelf.ts";
import { drifts, type RunHead, type RunKeeper, type StoredRun } from "../storage/run_store.ts";
import { tileStore } from "../storage/tile_store.ts";
import { readRunProblems } from "../tasks/formats.ts";
import type { Problem, Split } from "../tasks/problem.ts";
import { PACK_TOKENS } from "../train/logps.ts";
import { planMemory } from "../train/memory_plan.ts";
import { kernelsChecksum } from "../train/references.ts";
import { LastingJudge } from "./lasting_judge.ts";
import { ModelSources } from "./model_sources.ts";
import { type Command, type Event, type ModelDtype, type ModelSource, RUN_LOCK, type RunRequest } from "./protocol.ts";
import { RunGate } from "./run_gate.ts";
import { checkDriver, measureRates, Workbench } from "./workbench.ts";

const EMBEDDED_MODEL = { id: "errata-demo", folder: "models/demo", problems: "problems/demo.jsonl" };

/** Problems as a run's folder keeps them: written by Errata itself. */
const ProblemsSchema = v.array(v.custom<Problem>((value) => typeof value === "object" && value !== null && "taskId" in value));

const now = () => performance.now();

/** Tokens of a long prompt among small problems: the plan before loading does not know the problems yet. */
const PLANNED_PROMPT = 128;

type Send = (event: Event) => void;
type OutFile = { path: string; bytes: Uint8Array };

/** A run that is under way or over. */
interface Held {
  readonly run: Run;
  readonly gate: RunGate;
  /** Under which it is kept. */
  readonly id: string;
  /** The run's files as they grow. */
  readonly texts: Map<string, string[]>;
  /** True while its events are being pulled. */
  going: boolean;
}

/** Takes commands one by one as they come; each ends in `done` or `failed`. */
export class EngineDriver {
  readonly #send: Send;
  #base = "";
  #engine: Engine | null = null;
  #judge: LastingJudge | null = null;
  #held: Held | null = null;
  readonly #workbench = new Workbench();
  readonly #sources: ModelSources;
  /** A problem file that was picked; null: the embedded problems. */
  #problems: { name: string; bytes: Uint8Array } | null = null;
  /** The model that is loaded, to be loaded again on another device. */
  #loadedFrom: { source: ModelSource; dtype: ModelDtype; power: GPUPowerPreference } = {
    source: { kind: "embedded" },
    dtype: "f16",
    power: "high-performance",
  };
  /** True while another model is on its way. */
  #loading = false;
  /** The device was lost while no run went on, and none is open in its place. */
  #lost = false;
  readonly #idleLosses = new LossLimit();
  /** The student of the latest run, on the device that is open. */
  #student: EngineStudent | null = null;
  #keeping: Promise<RunShelf> | null = null;

  constructor(send: Send) {
    this.#send = send;
    this.#sources = new ModelSources(send);
  }

  async handle(command: Command): Promise<void> {
    const { id } = command;
    try {
      await this.#obey(command);
      this.#send({ type: "done", id });
    } catch (error) {
      this.#send({ type: "failed", id, message: messageOf(error) });
    }
  }

  async #obey(command: Command): Promise<void> {
    switch (command.type) {
      case "open":
        return this.#open(command.base, command.power);
      case "load":
        return this.#load(command.source, command.dtype);
      case "cancelLoad":
        return this.#sources.cancel();
      case "removeModel":
        await this.#sources.remove(command.model);
        return this.#tellModels();
      case "models":
        return this.#tellModels();
      case "problems":
        return this.#takeProblems(command.file);
      case "addAdapter":
        return this.#addAdapter(command.name, command.files);
      case "removeAdapter":
        this.#workbench.forget(command.adapter);
        return this.#tellAdapters();
      case "score":
        return this.#score(command);
      case "measure":
        return this.#measure(command.id);
      case "sandbox":
        return this.#takeSandbox(command.port);
      case "start":
        return this.#start(command.run);
      case "goOn":
        return this.#goOn(command.run);
      case "runs":
        return this.#tellRuns();
      case "deleteRun":
        return this.#deleteRun(command.run);
      case "pause":
        return this.#running().gate.pause();
      case "resume":
        return this.#running().gate.resume();
      case "step":
        return this.#running().gate.step();
      case "stop":
        return this.#running().gate.stop();
      case "generate":
        return this.#generate(command);
      case "export":
        return this.#export(command.id, command.run);
      default:
        command satisfies never;
    }
  }

  /** The first frame's port, or that of one which was asked for because the one before fell silent. */
  #takeSandbox(port: MessagePort): void {
    this.#judge?.give(port);
    this.#judge ??= new LastingJudge(port, {
      ask: () => this.#send({ type: "sandboxWanted" }),
      told: (message) => this.#send({ type: "warning", message }),
    });
  }

  async #open(base: string, power: GPUPowerPreference): Promise<void> {
    this.#base = base;
    this.#loadedFrom = { source: { kind: "embedded" }, dtype: "f16", power };
    await this.#openDevice();
  }

  /** Opens a device and loads the model onto it; what was on the one before is given up. */
  async #openDevice(): Promise<void> {
    const { source, dtype, power } = this.#loadedFrom;
    const { device, adapter } = await openDevice(power);
    this.#send({ type: "device", device: adapter });
    const gpu = new Gpu(device);
    const before = this.#engine?.gpu;
    if (before) gpu.tiles = before.tiles; // the same kernels as before
    before?.destroy();
    this.#lost = false;
    device.lost.then(() => {
      if (this.#engine?.gpu === gpu) void this.#reopenIdle();
    });
    if (!before && !gpu.software) await this.#chooseKernels(gpu, adapter); // a processor takes the defaults: compiling the candidates costs it seconds
    await this.#loadModel(gpu, adapter, source, dtype);
  }

  async #chooseKernels(gpu: Gpu, adapter: AdapterInfo): Promise<void> {
    const label = "Choosing kernels for this GPU";
    this.#send({ type: "progress", label, done: 0, total: 1 });
    gpu.tiles = await tunedTiles(gpu, tuningKey(adapter, navigator.userAgent), tileStore());
    this.#send({ type: "progress", label, done: 1, total: 1 });
  }

  /** A device that is lost while no run goes on is replaced at once; a run sees to it itself. */
  async #reopenIdle(): Promise<void> {
    if (this.#held?.going) return;
    this.#lost = true;
    try {
      if (this.#idleLosses.reachedAt(now()))
        throw new InputError(`it was lost ${MAX_LOSSES} times within a minute: close what else uses it, then start again`);
      await this.#openDevice();
    } catch (error) {
      const message = messageOf(error);
      this.#send({
        type: "failed",
        id: null,
        message: `The GPU was lost, and no other is open: ${message.replace(/\.$/, "")}. Else reload the page.`,
      });
    }
  }

  async #load(source: ModelSource, dtype: ModelDtype): Promise<void> {
    if (!this.#engine) throw new Error("No GPU is open: reload the page.");
    if (this.#held?.going) throw new InputError("A run is under way: stop it before loading another model.");
    this.#refuseWhileLoading();
    this.#loading = true;
    try {
      await this.#replaceModel(this.#engine, source, dtype);
    } finally {
      this.#loading = false;
    }
  }

  #refuseWhileLoading(): void {
    if (this.#loading) throw new InputError("A model is being loaded: wait until it is there, or break it off.");
  }

  /** Another model in place of the one that is loaded; that one stays where the new one cannot be loaded. */
  async #replaceModel(before: Engine, source: ModelSource, dtype: ModelDtype): Promise<void> {
    const { gpu, model, device } = before;
    await this.#loadModel(gpu, device, source, dtype);
    this.#loadedFrom = { ...this.#loadedFrom, source: withoutToken(source), dtype };
    this.#student?.free();
    this.#student = null;
    this.#held = null;
    freeModel(gpu, model);
    this.#workbench.forgetAll();
    this.#tellAdapters();
  }

  async #tellModels(): Promise<void> {
    this.#send({ type: "models", models: await this.#sources.list() });
  }

  async #loadModel(gpu: Gpu, device: AdapterInfo, source: ModelSource, dtype: ModelDtype): Promise<void> {
    const files = await this.#sources.files(source, this.#base);
    const name = source.kind === "embedded" ? "the embedded model" : files.id;
    const onProgress = (done: number, total: number) =>
      this.#send({ type: "progress", label: `Loading ${name}: ${done} of ${total} tensors`, done, total });
    await this.#tellPlan(files, dtype);
    const model = await loadModel(gpu, files, { dtype, onProgress });
    this.#engine = { gpu, model, device };
    const { id, parameters, config } = model;
    const { vocabulary: vocabularySize, layers, contextLength } = config;
    this.#send({ type: "model", model: { id, parameters, dtype: model.dtype, vocabularySize, layers, contextLength } });
    const check = await checkDriver(this.#engine, files);
    if (check) this.#send({ type: "checked", ...check });
    if (source.kind === "remote") await this.#tellModels();
  }

  /** What the model and its training will take, before any of it is allocated. */
  async #tellPlan(files: ModelFiles, dtype: ModelDtype): Promise<void> {
    const json = await readJson(files, "config.json");
    if (json === null) return; // loading says what is missing
    const plan = planMemory(readConfig(json, `${files.id}/config.json`), {
      dtype,
      lora: PRESETS.demo,
      training: { tokens: PACK_TOKENS, checkpoint: "all" },
      sampling: { batch: 64, longestPrompt: PLANNED_PROMPT, maxNewTokens: PRESETS.demo.max_new_tokens },
    });
    this.#send({ type: "planned", plan: { ...plan } });
  }

  async #start({ preset, method, seed, overrides, from }: RunRequest): Promise<void> {
    const start = from === null ? null : this.#workbench.file(from);
    const lora = start ? { ...start.config, target_modules: start.config.target_modules.join(",") } : {};
    const config = configOf(preset, method, seed, { ...overrides, ...lora });
    await this.#alone(async () => {
      const { problems, warning } = await this.#loadProblems(config.split_seed);
      if (warning !== null) this.#send({ type: "warning", message: warning });
      const head = await headOf(preset, config, problems, this.#loaded());
      const files = start && writeAdapter(start, this.#modelId());
      const keeper = await this.#tryToKeep(async (shelf) => {
        await shelf.sweep();
        return shelf.begin(head, problems, files, now);
      });
      await this.#carryOut(head, config, problems, start, keeper, null);
    });
  }

  /** Goes on with a kept run. Its events so far are told again, quickly, and then those to come. */
  async #goOn(id: string): Promise<void> {
    await this.#alone(async () => {
      const shelf = await this.#shelf();
      const { stored, problems, start } = await shelf.open(id);
      if (!v.is(ProblemsSchema, problems))
        throw new InputError("The problems of this run are damaged, so that it cannot go on: delete it.");
      const { gpu, model, device } = this.#loaded();
      if (stored.head.model.sha256 !== model.sha256 || stored.head.model.dtype !== model.dtype) {
        const { id: name, dtype } = stored.head.model;
        throw new InputError(`This run was begun with the model ${name} (${dtype}): load that one, then go on.`);
      }
      const config = checkConfig(stored.head.config);
      const found = drifts(stored.head, { device: deviceName(device), code: kernelsChecksum() });
      for (const message of [...stored.warnings, ...found]) this.#send({ type: "warning", message });
      gpu.tiles = readTiles(JSON.stringify(stored.head.kernels)) ?? gpu.tiles;
      const adapter = start && (await readAdapter(bytesFiles("start", start), model.config));
      const keeper = await this.#tryToKeep(() => shelf.goOn(id, stored, now));
      await this.#carryOut(stored.head, config, problems, adapter, keeper, stored);
    });
  }

  /** Does it while no other run goes on, in this tab or in another. */
  async #alone(work: () => Promise<void>): Promise<void> {
    if (!this.#engine) throw new Error("No model is loaded: reload the page.");
    if (!this.#judge) throw new Error("The Python sandbox is not open: reload the page.");
    if (this.#held?.going) throw new InputError("A run is under way: stop it before starting another.");
    this.#refuseWhileLoading();
    await navigator.locks
      .request(RUN_LOCK, { ifAvailable: true }, async (lock) => {
        if (!lock) throw new InputError("Another tab of this browser is training: wait until it is done, or stop it there.");
        if (this.#lost) await this.#openDevice();
        await work();
      })
      .finally(() => this.#tellRuns()); // those that are left, now that this tab no longer trains
  }

  async #carryOut(
    head: RunHead,
    config: RunConfig,
    problems: readonly Problem[],
    start: AdapterFile | null,
    keeper: RunKeeper | null,
    past: StoredRun | null,
  ): Promise<void> {
    const judge = this.#judge;
    if (!judge) return;
    const warn = (message: string) => this.#send({ type: "warning", message });
    this.#student?.free();
    this.#student = null;
    const student = await LastingStudent.open({ open: () => this.#newStudent(config, start), told: warn, now });
    const { preset } = head;
    const kept = keeper ? { keeper: carefulKeeper(keeper, warn) } : {};
    const run = new Run({ preset, config, problems, student, judge, now, ...kept, ...(past && { past }) });
    const gate = new RunGate((state) => this.#send({ type: "state", state }));
    this.#held = { run, gate, id: head.id, texts: new Map(), going: true };
    await this.#pull(this.#held).finally(() => keeper?.close());
    if (run.finished && keeper) await this.#finish(this.#held);
    if (run.steps === 0) return;
    const { best, last, run: record } = await run.kept();
    const name = `${config.method}, ${preset}, seed ${config.seed}`;
    if (record.bestStep !== run.steps) this.#workbench.keep(`${name}, last step`, last);
    this.#workbench.keep(name, best); // the latest is the one that the page asks
    this.#tellAdapters();
  }

  /** A student on the engine; where that has one already, its device was lost. */
  async #newStudent(config: RunConfig, start: AdapterFile | null): Promise<EngineStudent> {
    if (this.#student) await this.#openDevice();
    const engine = this.#loaded();
    this.#student = start ? continuedStudent(engine, start) : newStudent(engine, config);
    return this.#student;
  }

  /** The runs that the browser keeps. @throws where it keeps nothing */
  #shelf(): Promise<RunShelf> {
    this.#keeping ??= opfsFolder("runs").then((folder) => new RunShelf(folder));
    return this.#keeping;
  }

  async #tryToKeep(begin: (shelf: RunShelf) => Promise<RunKeeper>): Promise<RunKeeper | null> {
    try {
      return await begin(await this.#shelf());
    } catch (error) {
      this.#send({ type: "warning", message: `${reasonOf(error)} This run is not kept: it would be lost with this tab.` });
      return null;
    }
  }

  async #finish(held: Held): Promise<void> {
    try {
      await (await this.#shelf()).finish(held.id, await filesOf(held, this.#modelId()));
    } catch (error) {
      this.#send({ type: "warning", message: `${reasonOf(error)} The finished run's files are not kept: save them now.` });
    }
  }

  /** Where the browser keeps nothing, there are none. An unfinished run may be another tab's that is training: it is left alone. */
  async #tellRuns(): Promise<void> {
    const runs = await this.#shelf().then(
      (shelf) => shelf.list(),
      () => [],
    );
    const training = this.#held?.going || (await isTrainingElsewhere());
    this.#send({ type: "runs", runs: training ? runs.filter(({ finished }) => finished) : runs });
  }

  async #deleteRun(id: string): Promise<void> {
    const shelf = await this.#shelf();
    const run = (await shelf.list()).find((kept) => kept.id === id);
    if (run && !run.finished && (this.#held?.going || (await isTrainingElsewhere()))) {
      throw new InputError("A run is under way: wait until it is done, or stop it, before an unfinished one is deleted.");
    }
    await shelf.remove(id);
    await this.#tellRuns();
  }

  async #loadProblems(splitSeed: number): Promise<{ problems: Problem[]; warning: string | null }> {
    if (this.#problems) return readRunProblems(this.#problems.bytes, this.#problems.name, splitSeed);
    const response = await fetch(new URL(EMBEDDED_MODEL.problems, this.#base));
    if (!response.ok)
      throw new InputError(`${EMBEDDED_MODEL.problems}: the server answered ${response.status}; serve the page with its problems folder.`);
    return readRunProblems(new Uint8Array(await response.arrayBuffer()), EMBEDDED_MODEL.problems, splitSeed);
  }

  /** Takes a problem file for the runs to come; what was there stays where it does not parse. */
  async #takeProblems(file: File | null): Promise<void> {
    const before = this.#problems;
    this.#problems = file && { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) };
    try {
      const { problems } = await this.#loadProblems(PRESETS.demo.split_seed); // as every preset has it
      const count = (split: Split) => problems.filter((problem) => problem.split === split).length;
      const name = file?.name ?? EMBEDDED_MODEL.problems;
      this.#send({ type: "problems", name, train: count("train"), validation: count("validation"), evaluation: count("evaluation") });
    } catch (error) {
      this.#problems = before;
      throw error;
    }
  }

  async #pull(held: Held): Promise<void> {
    this.#send({ type: "state", state: "running" });
    try {
      for await (const event of held.run.events()) {
        this.#tell(held, event);
        if (!held.run.caughtUp) continue; // its weights are those of a later step: there is nothing to pause, stop or export at
        if (!(await held.gate.pass(event.type === "step"))) break;
      }
    } finally {
      held.going = false;
      await held.gate.runErrands();
    }
    this.#send({ type: "state", state: "finished" });
  }

  #tell({ texts }: Held, event: RunEvent): void {
    for (const { file, text } of appendsOf(event)) {
      const lines = texts.get(file);
      if (lines) lines.push(text);
      else texts.set(file, [text]);
    }
    this.#send(event);
  }

  #running(): Held {
    if (!this.#held?.going) throw new InputError("No run is under way.");
    return this.#held;
  }

  #loaded(): Engine {
    if (!this.#engine) throw new InputError("No model is loaded: wait until it is, or reload the page.");
    return this.#engine;
  }

  /** While a run goes on, other work is done between two of its events. */
  #between<T>(work: () => Promise<T>): Promise<T> {
    return this.#held?.going ? this.#held.gate.between(work) : work();
  }

  async #generate({ id, prompt, adapter, ...options }: Extract<Command, { type: "generate" }>): Promise<void> {
    const engine = this.#loaded();
    this.#send({ type: "generated", id, ...(await this.#between(() => this.#workbench.write(engine, adapter, prompt, options))) });
  }

  async #score({ id, prompt, completion, adapter }: Extract<Command, { type: "score" }>): Promise<void> {
    const engine = this.#loaded();
    this.#send({ type: "scored", id, score: await this.#between(() => this.#workbench.score(engine, adapter, prompt, completion)) });
  }

  async #measure(id: number): Promise<void> {
    const engine = this.#loaded();
    this.#send({ type: "measured", id, rates: await this.#between(() => measureRates(engine)) });
  }

  async #addAdapter(name: string, files: OutFile[]): Promise<void> {
    this.#workbench.keep(name, await readAdapter(bytesFiles(name, files), this.#loaded().model.config));
    this.#tellAdapters();
  }

  #tellAdapters(): void {
    this.#send({ type: "adapters", adapters: this.#workbench.list() });
  }

  /** While a run goes on, its weights are read between two of its events. */
  async #export(id: number, kept: string | null): Promise<void> {
    if (kept !== null) return this.#send({ type: "exported", id, files: await (await this.#shelf()).files(kept) });
    const held = this.#held;
    if (!held) throw new InputError("There is no run to export yet.");
    this.#send({ type: "exported", id, files: await this.#between(() => filesOf(held, this.#modelId())) });
  }

  #modelId(): string {
    return this.#engine?.model.id ?? EMBEDDED_MODEL.id;
  }
}

/** What was downloaded is found in the browser's store: the token is needed no more. */
function withoutToken(source: ModelSource): ModelSource {
  return source.kind === "remote" ? { ...source, token: null } : source;
}

/** Whether this tab or another holds the lock. */
async function isTrainingElsewhere(): Promise<boolean> {
  return (await navigator.locks.query()).held?.some(({ name }) => name === RUN_LOCK) ?? false;
}

const deviceName = ({ vendor, architecture, description }: AdapterInfo): string => [vendor, architecture, description].join(" ");

async function headOf(preset: string, config: RunConfig, problems: readonly Problem[], { gpu, model, device }: Engine): Promise<RunHead> {
  return {
    id: crypto.randomUUID(),
    started: new Date().toISOString(),
    preset,
    config,
    model: { id: model.id, dtype: model.dtype, sha256: model.sha256 },
    problems: await problemsChecksum(problems),
    device: deviceName(device),
    kernels: gpu.tiles,
    code: kernelsChecksum(),
  };
}

async function filesOf({ run, texts }: Held, modelId: string): Promise<RunFile[]> {
  const kept = await run.kept();
  const encoder = new TextEncoder();
  const lines = [...texts].map(([path, parts]) => ({ path, bytes: encoder.encode(parts.join("")) }));
  const record = { path: "run.json", bytes: encoder.encode(`${JSON.stringify(kept.run, null, 2)}\n`) };
  const folder = (name: string, weights: AdapterFile) =>
    writeAdapter(weights, modelId).map(({ path, bytes }) => ({ path: `${name}/${path}`, bytes }));
  return [
    ...lines.filter(({ path }) => path !== record.path),
    record,
    ...folder("adapter", kept.best),
    ...folder("adapter_last", kept.last),
  ];
}
