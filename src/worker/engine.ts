// The engine behind the protocol: runs the method, and all else that the page's commands say.

import * as v from "valibot";
import { checkConfig, type RunConfig } from "../ap2o/config.ts";
import { continuedStudent, type Engine, type EngineStudent, newStudent } from "../ap2o/engine_student.ts";
import { LastingStudent } from "../ap2o/lasting_student.ts";
import { configOf, PRESETS, readSetting } from "../ap2o/presets.ts";
import { Run } from "../ap2o/run.ts";
import { appendsOf } from "../ap2o/run_files.ts";
import { adapterName } from "../gpu/device.ts";
import { type Counters, GpuFailure } from "../gpu/gpu.ts";
import { InputError, messageOf } from "../input_error.ts";
import { bytesFiles } from "../model/files.ts";
import { type AdapterFile, readAdapter, writeAdapter } from "../model/peft.ts";
import { readTiles } from "../model/tuner.ts";
import type { RunEvent } from "../records.ts";
import { carefulKeeper, reasonOf } from "../storage/careful_keeper.ts";
import { opfsFolder } from "../storage/opfs_folder.ts";
import { type KeptRun, problemsChecksum, type RunFile, RunShelf } from "../storage/run_shelf.ts";
import { drifts, type RunHead, type RunKeeper, type StoredRun } from "../storage/run_store.ts";
import { readRunProblems, selectProblems } from "../tasks/formats.ts";
import type { Problem, Split } from "../tasks/problem.ts";
import { kernelsChecksum } from "../train/references.ts";
import { LastingEngine } from "./lasting_engine.ts";
import { LastingJudge } from "./lasting_judge.ts";
import { ModelSources } from "./model_sources.ts";
import { type Command, type Event, type ModelDtype, type ModelSource, RUN_LOCK, type RunRequest } from "./protocol.ts";
import { RunGate } from "./run_gate.ts";
import { measureRates, Workbench } from "./workbench.ts";

const EMBEDDED_MODEL = { id: "errata-demo", problems: "problems/demo.jsonl" };

/** Problems as a run's folder keeps them: written by Errata itself. */
const ProblemsSchema = v.array(v.custom<Problem>((value) => typeof value === "object" && value !== null && "taskId" in value));

const NO_SANDBOX = "The Python sandbox is not open: reload the page.";

const now = () => performance.now();

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
  readonly #engine: LastingEngine;
  #judge: LastingJudge | null = null;
  #held: Held | null = null;
  readonly #workbench = new Workbench();
  readonly #sources: ModelSources;
  /** A problem file that was picked; null: the embedded problems. */
  #problems: { name: string; bytes: Uint8Array } | null = null;
  /** The embedded ones' file, once it was fetched: it needs no network another time. */
  #embeddedProblems: Uint8Array | null = null;
  /** True while another model is on its way. */
  #loading = false;
  /** The student of the latest run, and the engine that it was made on. */
  #student: { of: EngineStudent; on: Engine } | null = null;

  constructor(send: Send) {
    this.#send = send;
    this.#sources = new ModelSources(send);
    this.#engine = new LastingEngine(send, this.#sources);
  }

  /** What the GPU holds and has done; null while none is open. */
  get counters(): Counters | null {
    return this.#engine.latest?.gpu.counters ?? null;
  }

  async handle(command: Command): Promise<void> {
    const { id } = command;
    try {
      await this.#obey(command);
      this.#send({ type: "done", id });
    } catch (error) {
      this.#send({ type: "failed", id, message: sentenceOf(error) });
    }
  }

  async #obey(command: Command): Promise<void> {
    switch (command.type) {
      case "open":
        this.#base = command.base;
        return this.#engine.open(command.base, command.power);
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

  async #load(source: ModelSource, dtype: ModelDtype): Promise<void> {
    if (this.#held?.going) throw new InputError("A run is under way: stop it before loading another model.");
    this.#refuseWhileLoading();
    this.#loading = true;
    try {
      await this.#engine.replaceModel({ source, dtype });
      this.#freeStudent();
      this.#held = null;
      this.#workbench.forgetAll();
      this.#tellAdapters();
    } finally {
      this.#loading = false;
    }
  }

  #refuseWhileLoading(): void {
    if (this.#loading) throw new InputError("A model is being loaded: wait until it is there, or break it off.");
  }

  async #tellModels(): Promise<void> {
    this.#send({ type: "models", models: await this.#sources.list() });
  }

  async #start({ preset, method, seed, overrides, settings = "", taskIds = "", from }: RunRequest): Promise<void> {
    const start = from === null ? null : this.#workbench.file(from);
    const lora = start ? { ...start.config, target_modules: start.config.target_modules.join(",") } : {};
    const written = Object.fromEntries(listOf(settings).map((text) => readSetting(text, "A setting of the run")));
    const config = configOf(preset, method, seed, { ...overrides, ...written, ...lora });
    await this.#alone(async () => {
      const { problems: all, warning } = await this.#loadProblems(config.split_seed);
      const ids = listOf(taskIds);
      const problems = ids.length === 0 ? all : selectProblems(all, ids, this.#problems?.name ?? EMBEDDED_MODEL.problems);
      if (warning !== null) this.#send({ type: "warning", message: warning });
      const head = await headOf(preset, config, problems, await this.#engine.another());
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
      const shelf = await openShelf();
      const { stored, problems, start } = await shelf.open(id);
      if (!v.is(ProblemsSchema, problems))
        throw new InputError("The problems of this run are damaged, so that it cannot go on: delete it.");
      const { gpu, model, device } = await this.#engine.another();
      if (stored.head.model.sha256 !== model.sha256 || stored.head.model.dtype !== model.dtype) {
        const { id: name, dtype } = stored.head.model;
        throw new InputError(`This run was begun with the model ${name} (${dtype}): load that one, then go on.`);
      }
      const config = checkConfig(stored.head.config);
      const found = drifts(stored.head, { device: adapterName(device), code: kernelsChecksum() });
      for (const message of [...stored.warnings, ...found]) this.#send({ type: "warning", message });
      gpu.tiles = readTiles(JSON.stringify(stored.head.kernels)) ?? gpu.tiles;
      const adapter = start && (await readAdapter(bytesFiles("start", start), model.config));
      const keeper = await this.#tryToKeep(() => shelf.goOn(id, stored, now));
      await this.#carryOut(stored.head, config, problems, adapter, keeper, stored);
    });
  }

  /** Does it while no other run goes on, in this tab or in another. */
  async #alone(work: () => Promise<void>): Promise<void> {
    if (!this.#judge) throw new Error(NO_SANDBOX);
    if (this.#held?.going) throw new InputError("A run is under way: stop it before starting another.");
    this.#refuseWhileLoading();
    await navigator.locks
      .request(RUN_LOCK, { ifAvailable: true }, async (lock) => {
        if (!lock) throw new InputError("Another tab of this browser is training: wait until it is done, or stop it there.");
        await this.#engine.hold(work);
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
    try {
      this.#held = await this.#prepare(head, config, problems, start, keeper, past);
      await this.#pull(this.#held);
    } finally {
      await this.#close(keeper);
    }
    const { run } = this.#held;
    if (run.finished && keeper) await this.#finish(this.#held);
    if (run.steps === 0) return;
    const { best, last, run: record } = await run.kept();
    const name = `${config.method}, ${head.preset}, seed ${config.seed}`;
    if (record.bestStep !== run.steps) this.#workbench.keepTrained(`${name}, last step`, last);
    this.#workbench.keepTrained(name, best); // the latest is the one that the page asks
    this.#tellAdapters();
  }

  async #prepare(
    { id, preset, problems: problemsChecksum }: RunHead,
    config: RunConfig,
    problems: readonly Problem[],
    start: AdapterFile | null,
    keeper: RunKeeper | null,
    past: StoredRun | null,
  ): Promise<Held> {
    if (!this.#judge) throw new Error(NO_SANDBOX);
    const told = (message: string) => this.#send({ type: "warning", message });
    const unkept = (message: string) => this.#tellUnkept(message);
    this.#freeStudent();
    const student = await LastingStudent.open({ open: () => this.#newStudent(config, start), told, now });
    const kept = keeper ? { keeper: carefulKeeper(keeper, unkept) } : {};
    const run = new Run({ preset, config, problems, problemsChecksum, student, judge: this.#judge, now, ...kept, ...(past && { past }) });
    const gate = new RunGate((state) => this.#send({ type: "state", state }));
    return { run, gate, id, texts: new Map(), going: true };
  }

  #tellUnkept(message: string): void {
    this.#send({ type: "warning", message });
    this.#send({ type: "kept", kept: false });
  }

  /** A student on the engine: on another one where its last student's has failed. */
  async #newStudent(config: RunConfig, start: AdapterFile | null): Promise<EngineStudent> {
    const on = await this.#engine.another(this.#student?.on);
    this.#student = { on, of: start ? continuedStudent(on, start) : newStudent(on, config) };
    return this.#student.of;
  }

  #freeStudent(): void {
    this.#student?.of.free();
    this.#student = null;
  }

  async #tryToKeep(begin: (shelf: RunShelf) => Promise<RunKeeper>): Promise<RunKeeper | null> {
    try {
      return await begin(await openShelf());
    } catch (error) {
      this.#tellUnkept(`${reasonOf(error)} This run is not kept: it would be lost with this tab.`);
      return null;
    }
  }

  /** The run's outcome stays what it is, also where its storage was cleared under way. */
  async #close(keeper: RunKeeper | null): Promise<void> {
    try {
      await keeper?.close();
    } catch (error) {
      this.#send({ type: "warning", message: reasonOf(error) });
    }
  }

  async #finish(held: Held): Promise<void> {
    try {
      await (await openShelf()).finish(held.id, await filesOf(held, this.#modelId()));
      this.#send({ type: "kept", kept: true }); // also what could not be kept on its way
    } catch (error) {
      this.#tellUnkept(`${reasonOf(error)} The finished run's files are not kept: save them now.`);
    }
  }

  /** An unfinished run may be another tab's that is training: it is left alone. */
  async #tellRuns(): Promise<void> {
    const runs = await this.#listRuns();
    const training = this.#held?.going || (await isTrainingElsewhere());
    this.#send({ type: "runs", runs: training ? runs.filter(({ finished }) => finished) : runs });
  }

  /** Where the browser keeps nothing, there are none. */
  async #listRuns(): Promise<KeptRun[]> {
    const shelf = await openShelf().catch(() => null);
    try {
      return shelf ? await shelf.list() : [];
    } catch (error) {
      this.#send({ type: "notice", message: `The kept runs cannot be listed. ${reasonOf(error)}` });
      return [];
    }
  }

  async #deleteRun(id: string): Promise<void> {
    const shelf = await openShelf();
    const run = (await shelf.list()).find((kept) => kept.id === id);
    if (run && !run.finished && (this.#held?.going || (await isTrainingElsewhere()))) {
      throw new InputError("A run is under way: wait until it is done, or stop it, before an unfinished one is deleted.");
    }
    await shelf.remove(id);
    await this.#tellRuns();
  }

  async #loadProblems(splitSeed: number): Promise<{ problems: Problem[]; warning: string | null }> {
    if (this.#problems) return readRunProblems(this.#problems.bytes, this.#problems.name, splitSeed);
    this.#embeddedProblems ??= await fetchProblems(new URL(EMBEDDED_MODEL.problems, this.#base));
    return readRunProblems(this.#embeddedProblems, EMBEDDED_MODEL.problems, splitSeed);
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

  /** While a run goes on, other work is done between two of its events. */
  #between<T>(work: () => Promise<T>): Promise<T> {
    return this.#held?.going ? this.#held.gate.between(work) : work();
  }

  #onEngine<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    return this.#between(() => this.#engine.use(work));
  }

  async #generate({ id, prompt, adapter, ...options }: Extract<Command, { type: "generate" }>): Promise<void> {
    const written = await this.#onEngine((engine) => this.#workbench.write(engine, adapter, prompt, options));
    this.#send({ type: "generated", id, ...written });
  }

  async #score({ id, prompt, completion, adapter }: Extract<Command, { type: "score" }>): Promise<void> {
    const score = await this.#onEngine((engine) => this.#workbench.score(engine, adapter, prompt, completion));
    this.#send({ type: "scored", id, score });
  }

  async #measure(id: number): Promise<void> {
    this.#send({ type: "measured", id, rates: await this.#onEngine(measureRates) });
  }

  async #addAdapter(name: string, files: OutFile[]): Promise<void> {
    const { model } = await this.#engine.another();
    this.#workbench.keep(name, await readAdapter(bytesFiles(name, files), model.config));
    this.#tellAdapters();
  }

  #tellAdapters(): void {
    this.#send({ type: "adapters", adapters: this.#workbench.list() });
  }

  /** While a run goes on, its weights are read between two of its events. */
  async #export(id: number, kept: string | null): Promise<void> {
    if (kept !== null) return this.#send({ type: "exported", id, files: await (await openShelf()).files(kept) });
    const held = this.#held;
    if (!held) throw new InputError("There is no run to export yet.");
    this.#send({ type: "exported", id, files: await this.#between(() => filesOf(held, this.#modelId())) });
  }

  #modelId(): string {
    return this.#engine.latest?.model.id ?? EMBEDDED_MODEL.id;
  }
}

/** The runs that the browser keeps; opened for each use, since storage may be cleared in between. @throws where it keeps nothing */
async function openShelf(): Promise<RunShelf> {
  return new RunShelf(await opfsFolder("runs"));
}

async function fetchProblems(url: URL): Promise<Uint8Array> {
  const response = await fetch(url).catch(() => null);
  if (!response) throw new InputError(`${EMBEDDED_MODEL.problems} cannot be reached: check the connection, then start again.`);
  if (!response.ok)
    throw new InputError(`${EMBEDDED_MODEL.problems}: the server answered ${response.status}; serve the page with its problems folder.`);
  return new Uint8Array(await response.arrayBuffer());
}

function sentenceOf(error: unknown): string {
  const failed = error instanceof GpuFailure;
  return failed ? `The GPU failed (${error.message}): try again; where it fails again, close what else uses it.` : messageOf(error);
}

/** Whether this tab or another holds the lock. */
async function isTrainingElsewhere(): Promise<boolean> {
  return (await navigator.locks.query()).held?.some(({ name }) => name === RUN_LOCK) ?? false;
}

const listOf = (text: string): string[] =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");

async function headOf(preset: string, config: RunConfig, problems: readonly Problem[], { gpu, model, device }: Engine): Promise<RunHead> {
  return {
    id: crypto.randomUUID(),
    started: new Date().toISOString(),
    preset,
    config,
    model: { id: model.id, dtype: model.dtype, sha256: model.sha256 },
    problems: await problemsChecksum(problems),
    device: adapterName(device),
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
