// The engine behind the protocol: opens the device, loads the embedded model, and runs the method as the page's commands say.

import { type Engine, type EngineStudent, newStudent } from "../ap2o/engine_student.ts";
import { configOf } from "../ap2o/presets.ts";
import { Run } from "../ap2o/run.ts";
import { appendsOf } from "../ap2o/run_files.ts";
import { type AdapterInfo, openDevice } from "../gpu/device.ts";
import { Gpu } from "../gpu/gpu.ts";
import { InputError } from "../input_error.ts";
import { urlFiles } from "../model/files.ts";
import { loadModel } from "../model/model.ts";
import { type AdapterFile, writeAdapter } from "../model/peft.ts";
import { SandboxJudge } from "../python/sandbox_judge.ts";
import { streamOf } from "../random.ts";
import type { RunEvent } from "../records.ts";
import { readProblems } from "../tasks/formats.ts";
import { STOP_STRINGS } from "../tasks/prompt.ts";
import type { Command, Event, RunRequest } from "./protocol.ts";
import { RunGate } from "./run_gate.ts";

const EMBEDDED_MODEL = { id: "errata-demo", folder: "models/demo", problems: "problems/demo.jsonl" };

type Send = (event: Event) => void;
type File = { path: string; bytes: Uint8Array };

/** A run that is under way or over. */
interface Held {
  readonly run: Run;
  readonly student: EngineStudent;
  readonly gate: RunGate;
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
  #judge: SandboxJudge | null = null;
  #held: Held | null = null;

  constructor(send: Send) {
    this.#send = send;
  }

  async handle(command: Command): Promise<void> {
    const { id } = command;
    try {
      await this.#obey(command);
      this.#send({ type: "done", id });
    } catch (error) {
      this.#send({ type: "failed", id, message: error instanceof Error ? error.message : String(error) });
    }
  }

  async #obey(command: Command): Promise<void> {
    switch (command.type) {
      case "open":
        return this.#open(command.base);
      case "sandbox":
        this.#judge = new SandboxJudge(command.port);
        return;
      case "start":
        return this.#start(command.run);
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
        return this.#export(command.id);
      default:
        command satisfies never;
    }
  }

  async #open(base: string): Promise<void> {
    this.#base = base;
    const { device, adapter } = await openDevice();
    this.#send({ type: "device", device: adapter });
    device.lost.then(({ reason, message }) => {
      if (reason !== "destroyed")
        this.#send({ type: "failed", id: null, message: `The GPU was lost (${message}). Reload the page to go on.` });
    });
    this.#engine = await this.#loadModel(new Gpu(device), adapter);
  }

  async #loadModel(gpu: Gpu, device: AdapterInfo): Promise<Engine> {
    const files = urlFiles(EMBEDDED_MODEL.id, new URL(EMBEDDED_MODEL.folder, this.#base).href);
    const onProgress = (done: number, total: number) => this.#send({ type: "progress", label: "Loading the embedded model", done, total });
    const model = await loadModel(gpu, files, { dtype: "f16", onProgress });
    const { id, parameters, dtype, config } = model;
    const { vocabulary: vocabularySize, layers, contextLength } = config;
    this.#send({ type: "model", model: { id, parameters, dtype, vocabularySize, layers, contextLength } });
    return { gpu, model, device };
  }

  async #start({ preset, method, seed, overrides }: RunRequest): Promise<void> {
    if (!this.#engine) throw new Error("No model is loaded: reload the page.");
    if (!this.#judge) throw new Error("The Python sandbox is not open: reload the page.");
    if (this.#held?.going) throw new InputError("A run is under way: stop it before starting another.");
    const config = configOf(preset, method, seed, overrides);
    const problems = await this.#loadProblems(seed);
    this.#held?.student.free();
    const student = newStudent(this.#engine, config);
    const run = new Run({ preset, config, problems, student, judge: this.#judge, now: () => performance.now() });
    const gate = new RunGate((state) => this.#send({ type: "state", state }));
    this.#held = { run, student, gate, texts: new Map(), going: true };
    await this.#pull(this.#held);
  }

  async #loadProblems(seed: number) {
    const response = await fetch(new URL(EMBEDDED_MODEL.problems, this.#base));
    if (!response.ok)
      throw new InputError(`${EMBEDDED_MODEL.problems}: the server answered ${response.status}; serve the page with its problems folder.`);
    return readProblems(new Uint8Array(await response.arrayBuffer()), EMBEDDED_MODEL.problems, seed);
  }

  async #pull(held: Held): Promise<void> {
    this.#send({ type: "state", state: "running" });
    try {
      for await (const event of held.run.events()) {
        this.#tell(held, event);
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

  async #generate({ id, prompt, adapter, temperature, maxNewTokens, seed }: Extract<Command, { type: "generate" }>): Promise<void> {
    const held = this.#held;
    if (!held || held.going) throw new InputError("A prompt can be answered once a run is over: stop it first.");
    const options = { temperature, maxNewTokens, seed, stop: STOP_STRINGS, trained: adapter };
    for await (const { text, ended } of held.student.write([{ prompt, stream: streamOf("prompt") }], options)) {
      this.#send({ type: "generated", id, text, ended });
    }
  }

  /** While a run goes on, its weights are read between two of its events. */
  async #export(id: number): Promise<void> {
    const held = this.#held;
    if (!held) throw new InputError("There is no run to export yet.");
    const files = await (held.going ? held.gate.between(() => filesOf(held, this.#modelId())) : filesOf(held, this.#modelId()));
    this.#send({ type: "exported", id, files });
  }

  #modelId(): string {
    return this.#engine?.model.id ?? EMBEDDED_MODEL.id;
  }
}

async function filesOf({ run, texts }: Held, modelId: string): Promise<File[]> {
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
