// One Python interpreter: a classic worker made from a blob inside the opaque frame. It boots Pyodide from posted files, keeps a copy
// of the interpreter's memory, and after every answer but its last writes that copy back: whatever an answer did to Python is gone.
// Everything here that an answer must not change is bound before the first answer runs.
import type { PyodideAPI } from "pyodide";
import { pythonString } from "../../tasks/python_literal.ts";
import type { Job, PyodideFile, Report } from "../sandbox_protocol.ts";
import encodeSource from "./encode.py?raw";
import runnerSource from "./runner.py?raw";
import { readShared, restoreMemory, type SharedFile, type SharedSnapshot } from "./shared_bytes.ts";
import splitSource from "./split.py?raw";

/** What the frame hands to a new worker, with the worker's port. */
export interface Boot {
  urls: Record<"pyodide.mjs" | "pyodide.asm.mjs", string>;
  module: WebAssembly.Module;
  /** Python's standard library, a zip. */
  stdlib: SharedFile;
  lock: string;
  /** The memory of an interpreter booted before, or null to boot from nothing. */
  snapshot: SharedSnapshot | null;
  /** Send a snapshot along when booted. */
  makeSnapshot: boolean;
  /** One of the first: its memory is checked, and the machine timed by it. */
  first: boolean;
}

const MAX_MEMORY = 256 << 20; // bytes of the interpreter
const MAX_RESTORED_MEMORY = 64 << 20; // above it a new interpreter is cheaper than writing the copy back
const MAX_FILES = 32 << 20; // bytes that an answer may write to files
const MAX_OUTPUT = 4 << 20; // bytes
const KEPT_OUTPUT = 16 << 10; // bytes

/** Pyodide's inside, as far as it is needed here; pinned with the package's version. */
interface Internals {
  memory: WebAssembly.Memory;
  ___stack_pointer: WebAssembly.Global;
  FS: FileSystem;
}

interface FileSystem {
  streams: ({ fd: number | null } | null | undefined)[];
  closeStream(fd: number): void;
  readdir(path: string): string[];
  lookupPath(path: string): { node: { contents: unknown; usedBytes: number } };
  chdir(path: string): void;
  cwd(): string;
  filesystems: { MEMFS: { ops_table: Record<string, Record<"node" | "stream", Record<string, unknown>>>; expandFileStorage: unknown } };
  ErrnoError: new (code: number) => Error;
}

interface Runner {
  prepare(): void;
  begin(program: string, entryPoint: string, setup: string, prelude: string, whole: boolean): string;
  step(kind: string, source: string): string;
  finish(): void;
  canary(): string;
  spin(): number;
  plan(entryPoint: string, setup: string, tests: string): string;
}

type CreateModule = (settings: object) => Promise<Internals>;
type LoadPyodide = (options: Record<string, unknown>) => Promise<PyodideAPI & { _module: Internals }>;

/** What is printed in a run: counted, and its end kept. */
class Output {
  total = 0;
  private kept = new Uint8Array(0);

  add(bytes: Uint8Array): void {
    this.total += bytes.length;
    const joined = new Uint8Array(this.kept.length + Math.min(bytes.length, KEPT_OUTPUT));
    joined.set(this.kept);
    joined.set(bytes.subarray(Math.max(0, bytes.length - KEPT_OUTPUT)), this.kept.length);
    this.kept = joined.slice(-KEPT_OUTPUT);
  }

  text(): string {
    return new TextDecoder().decode(this.kept);
  }
}

self.onmessage = (event: MessageEvent<Boot>) => {
  self.onmessage = null;
  const port = event.ports[0];
  if (port) void serve(event.data, port);
};

async function serve(boot: Boot, port: MessagePort): Promise<void> {
  const send = port.postMessage.bind(port) as (report: Report, transfer?: Transferable[]) => void;
  try {
    const interpreter = await bootInterpreter(boot, send);
    port.onmessage = (event: MessageEvent<Job>) => interpreter.handle(event.data);
  } catch (error) {
    send({ type: "boot_failed", message: String(error) });
  }
}

async function bootInterpreter(boot: Boot, send: (report: Report, transfer?: Transferable[]) => void): Promise<Interpreter> {
  capMemory();
  shareWrappers();
  // What is imported already is in the snapshot: the library is read when an answer imports something else.
  const stdlib = boot.snapshot ? new ArrayBuffer() : readShared(boot.stdlib);
  serveFiles({ "python_stdlib.zip": stdlib }, boot.module);
  const restartRandomness = fixRandomness();
  const { loadPyodide } = (await import(/* @vite-ignore */ boot.urls["pyodide.mjs"])) as { loadPyodide: LoadPyodide };
  const { snapshot } = boot;
  const glue = (await import(/* @vite-ignore */ boot.urls["pyodide.asm.mjs"])) as { default: CreateModule };
  const factory: CreateModule = async (settings) => {
    const module = await glue.default(settings);
    if (snapshot) await restoreMemory(snapshot, module.memory, boot.first);
    return module;
  };
  const pyodide = await loadPyodide({
    indexURL: "https://sandbox.invalid/", // nothing is fetched: see serveFiles
    createPyodideModule: factory,
    lockFileContents: boot.lock,
    jsglobals: Object.create(null),
    env: { HOME: "/home/pyodide", PYTHONHASHSEED: "0" },
    stdout: () => {},
    stderr: () => {},
    enableRunUntilComplete: false,
    _makeSnapshot: boot.makeSnapshot,
    ...(snapshot ? { _loadSnapshot: snapshot.head } : {}),
  });
  if (snapshot) readLater(pyodide._module.FS, boot.stdlib);
  else defineModules(pyodide);
  const made = boot.makeSnapshot ? ownBuffer(pyodide.makeMemorySnapshot()) : undefined;
  const interpreter = new Interpreter(pyodide, send, restartRandomness);
  const canary = interpreter.canary();
  const spinMs = boot.first ? interpreter.spinMs() : null;
  closeDoors();
  send({ type: "booted", spinMs, canary, ...(made ? { snapshot: made } : {}) }, made ? [made] : []);
  return interpreter;
}

function ownBuffer(bytes: Uint8Array): ArrayBuffer {
  return bytes.slice().buffer;
}

/** Gives the standard library's file, still empty, its contents at the first look into it. */
function readLater(files: FileSystem, stdlib: SharedFile): void {
  const zip = files.readdir("/lib").find((name) => name.endsWith(".zip"));
  const { node } = files.lookupPath(`/lib/${zip}`);
  let contents: unknown;
  Object.defineProperty(node, "contents", {
    get: () => (contents ??= new Uint8Array(readShared(stdlib))),
    set: (changed: unknown) => (contents = changed),
  });
  node.usedBytes = stdlib.size;
}

/** Puts our Python modules into the interpreter, and everything of now out of the garbage collector's sight. */
function defineModules(pyodide: PyodideAPI): void {
  for (const [name, source] of Object.entries({ errata_encode: encodeSource, errata_runner: runnerSource, errata_split: splitSource })) {
    // As literals in the code: a proxy on the way would be in the snapshot's way.
    pyodide.runPython(
      `import sys, types\n_m = types.ModuleType(${JSON.stringify(name)})\nsys.modules[_m.__name__] = _m\nexec(compile(${JSON.stringify(source)}, "<errata>", "exec"), _m.__dict__)\ndel _m`,
    );
  }
  pyodide.runPython("import errata_runner\nerrata_runner.settle()\ndel errata_runner");
}

/** A memory bomb must become a MemoryError, not a tab of 4 GB. */
function capMemory(): void {
  const grow = WebAssembly.Memory.prototype.grow;
  WebAssembly.Memory.prototype.grow = function (pages: number): number {
    if (this.buffer.byteLength + pages * 65536 > MAX_MEMORY) throw new RangeError("over the interpreter's memory limit");
    return grow.call(this, pages);
  };
}

/** Pyodide wraps some two hundred JavaScript functions for its table, each in a module of its own: those of one signature now share it. */
function shareWrappers(): void {
  const { Module } = WebAssembly;
  const known = new Map<string, WebAssembly.Module>();
  const moduleOf = (bytes: BufferSource): WebAssembly.Module => {
    const key = bytes instanceof Uint8Array && bytes.length < 128 ? bytes.join() : null;
    const module = (key === null ? undefined : known.get(key)) ?? new Module(bytes);
    if (key !== null) known.set(key, module);
    return module;
  };
  WebAssembly.Module = new Proxy(Module, { construct: (_target, [bytes]) => moduleOf(bytes) });
}

/** Pyodide's requests are answered from the posted files; its module was compiled once in the frame. */
function serveFiles(files: Partial<Record<PyodideFile, ArrayBuffer>>, module: WebAssembly.Module): void {
  self.fetch = async (request: RequestInfo | URL): Promise<Response> => {
    const name =
      String(request instanceof Request ? request.url : request)
        .split("/")
        .pop() ?? "";
    const bytes = Object.entries(files).find(([file]) => file === name)?.[1];
    // The bytes themselves: a response of them would be copied twice on its way.
    return bytes ? Object.assign(new Response(), { arrayBuffer: async () => bytes }) : new Response(null, { status: 404 });
  };
  WebAssembly.instantiateStreaming = async (_source, imports) => ({ module, instance: await WebAssembly.instantiate(module, imports) });
}

/** os.urandom gives the same bytes in every run: the same answer must get the same verdict. Gives a function that starts it anew. */
function fixRandomness(): () => void {
  let state = 0;
  Crypto.prototype.getRandomValues = <T extends ArrayBufferView | null>(array: T): T => {
    if (array === null) return array;
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    for (let i = 0; i < bytes.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      bytes[i] = state >>> 24;
    }
    return array;
  };
  return () => {
    state = 0x2545f491;
  };
}

/** Takes away what an interpreter has no use for. The frame's CSP is the wall; this is the locked drawer behind it. */
function closeDoors(): void {
  const nothing = () => 0;
  Object.assign(self, { setTimeout: nothing, setInterval: nothing, queueMicrotask: nothing });
  // What Pyodide schedules goes through a port of its own: a callback of one answer must not fire in the next.
  MessagePort.prototype.postMessage = nothing;
  const doors = ["Worker", "SharedWorker", "WebSocket", "WebTransport", "EventSource", "XMLHttpRequest", "BroadcastChannel"];
  for (const name of [...doors, "fetch", "importScripts", "postMessage", "close", "indexedDB", "caches"]) {
    Object.defineProperty(self, name, { value: undefined, writable: false, configurable: false });
  }
}

class Interpreter {
  private readonly internals: Internals;
  private readonly runner: Runner;
  private readonly output = { stdout: new Output(), stderr: new Output() };
  private readonly send: (report: Report) => void;
  private readonly restartRandomness: () => void;
  private readonly now = performance.now.bind(performance);
  private readonly streams: FileSystem["streams"];
  /** The memory as every answer finds it, from the first run that others may follow. */
  private image: Uint8Array | null = null;
  private readonly stackPointer: unknown;
  private readonly cwd: string;
  /** Set when a run touched a file: files are not in the memory that is written back. */
  private filesChanged = false;
  /** Standard input of the running program, null where reading is an error. */
  private stdin: Uint8Array | null = null;
  /** What the running program has printed, where that is its result. */
  private printed: Uint8Array[] | null = null;
  private fileBytes = 0;
  private run = "";

  constructor(pyodide: PyodideAPI & { _module: Internals }, send: (report: Report) => void, restartRandomness: () => void) {
    this.internals = pyodide._module;
    this.send = send;
    this.restartRandomness = restartRandomness;
    this.runner = bindRunner(pyodide);
    this.runner.prepare();
    this.connectStreams(pyodide);
    this.watchFiles();
    const { FS } = this.internals;
    this.streams = [...FS.streams];
    this.cwd = FS.cwd();
    this.stackPointer = this.internals.___stack_pointer.value;
  }

  /** Time that a fixed amount of interpreter work takes now. */
  spinMs(): number {
    const from = this.now();
    this.runner.spin();
    return this.now() - from;
  }

  /** The text of a small honest piece of work. */
  canary(): string {
    return this.runner.canary();
  }

  handle(job: Job): void {
    this.run = job.run;
    const last = job.type === "run" && job.last;
    if (!last) this.image ??= new Uint8Array(this.internals.memory.buffer).slice();
    if (job.type === "plan") this.send({ type: "planned", run: job.run, plan: this.runner.plan(job.entryPoint, job.setup, job.tests) });
    else this.judge(job);
    if (last) return;
    const clean = this.restore();
    this.send({ type: "restored", run: job.run, clean, canary: clean ? this.canary() : "" });
  }

  private judge(job: Job & { type: "run" }): void {
    this.output.stdout = new Output();
    this.output.stderr = new Output();
    this.stdin = null;
    this.printed = null;
    this.restartRandomness();
    const spinMs = job.spin ? Math.min(this.spinMs(), this.spinMs(), this.spinMs()) : 0;
    this.send({ type: "begun", run: job.run, spinMs });
    const from = this.now();
    const { kind, message } = this.runSteps(job);
    const seconds = (this.now() - from) / 1000;
    this.send({ type: "end", run: job.run, kind, message, stderr: this.output.stderr.text(), seconds });
  }

  /** Runs the program and the steps, each result sent as it is known; the first error ends it. */
  private runSteps(job: Job & { type: "run" }): { kind: "done" | "exit" | "crash"; message: string } {
    try {
      const whole = job.steps[0]?.kind === "program";
      const result = (run: () => string): boolean => {
        const from = this.now();
        const text = run();
        this.send({ type: "result", run: job.run, text, seconds: (this.now() - from) / 1000 });
        return !text.startsWith("!");
      };
      let well = result(() => this.runner.begin(job.program, job.entryPoint, job.setup, job.prelude, whole));
      for (const { kind, source } of job.steps) {
        if (!well) break;
        well = result(() => (kind === "program" ? this.runProgram(source) : this.runner.step(kind, source)));
      }
      this.runner.finish();
      return { kind: "done", message: "" };
    } catch (error) {
      // Whatever Python raises is caught in Python: this is the interpreter itself, dead.
      this.filesChanged = true;
      const exited = error instanceof Error && (error.name === "ExitStatus" || error.name === "Exit");
      return { kind: exited ? "exit" : "crash", message: describe(error) };
    }
  }

  /** Runs the answer as a program; gives what it printed as an encoded string, or a failure. */
  private runProgram(stdin: string): string {
    this.reopenStandardStreams();
    this.stdin = new TextEncoder().encode(stdin);
    this.printed = [];
    const failure = this.runner.step("program", "");
    this.stdin = null;
    const printed = this.printed;
    this.printed = null;
    if (failure) return failure;
    const bytes = new Uint8Array(printed.reduce((total, part) => total + part.length, 0));
    let at = 0;
    for (const part of printed) {
      bytes.set(part, at);
      at += part.length;
    }
    return `s${pythonString(new TextDecoder().decode(bytes))}`;
  }

  /** open(0).read() closes standard input when it is done; the next case needs it again. */
  private reopenStandardStreams(): void {
    const { streams } = this.internals.FS;
    for (const fd of [0, 1, 2]) {
      const stream = this.streams[fd];
      if (!stream || streams[fd] === stream) continue;
      stream.fd = fd;
      streams[fd] = stream;
    }
  }

  /** Reads standard input into `buffer`; gives the number of bytes. */
  private readStdin(buffer: Uint8Array): number {
    if (!this.stdin) throw new this.internals.FS.ErrnoError(29); // EIO
    const part = this.stdin.subarray(0, buffer.length);
    buffer.set(part);
    this.stdin = this.stdin.subarray(part.length);
    return part.length;
  }

  /** Writes the interpreter's memory back as it was. False when that would not be enough. */
  private restore(): boolean {
    const { FS, memory } = this.internals;
    const { image } = this;
    const bytes = new Uint8Array(memory.buffer);
    if (!image || this.filesChanged || bytes.length > MAX_RESTORED_MEMORY) return false;
    this.reopenStandardStreams();
    if (this.streams.some((stream, fd) => stream !== FS.streams[fd])) return false;
    for (let fd = this.streams.length; fd < FS.streams.length; fd++) if (FS.streams[fd]) FS.closeStream(fd);
    if (FS.cwd() !== this.cwd) FS.chdir(this.cwd);
    bytes.set(image);
    bytes.fill(0, image.length);
    this.internals.___stack_pointer.value = this.stackPointer;
    return true;
  }

  private connectStreams(pyodide: PyodideAPI): void {
    const writer = (name: "stdout" | "stderr") => ({
      write: (bytes: Uint8Array) => {
        this.output[name].add(bytes);
        if (name === "stdout") this.printed?.push(bytes.slice());
        if (this.output.stdout.total + this.output.stderr.total > MAX_OUTPUT) this.send({ type: "output_limit", run: this.run });
        return bytes.length;
      },
    });
    pyodide.setStdin({ read: (buffer: Uint8Array) => this.readStdin(buffer), isatty: false });
    pyodide.setStdout(writer("stdout"));
    pyodide.setStderr(writer("stderr"));
  }

  /** Notes every change of the file system, and stops one that fills the tab's memory. */
  private watchFiles(): void {
    const { FS } = this.internals;
    const { MEMFS } = FS.filesystems;
    const note = (table: Record<string, unknown>, name: string, grows: (args: unknown[]) => number) => {
      const original = table[name];
      if (typeof original !== "function") return;
      table[name] = (...args: unknown[]) => {
        this.filesChanged = true;
        this.fileBytes += grows(args);
        if (this.fileBytes > MAX_FILES) throw new FS.ErrnoError(51); // ENOSPC
        return original.apply(table, args);
      };
    };
    for (const { node, stream } of Object.values(MEMFS.ops_table)) {
      for (const name of ["mknod", "rename", "unlink", "rmdir", "symlink", "setattr"]) note(node, name, () => 0);
      note(stream, "write", (args) => (typeof args[3] === "number" ? args[3] : 0));
    }
  }
}

function bindRunner(pyodide: PyodideAPI): Runner {
  const runner = pyodide.pyimport("errata_runner");
  const split = pyodide.pyimport("errata_split");
  return {
    prepare: runner.prepare,
    begin: runner.begin,
    step: runner.step,
    finish: runner.finish,
    canary: runner.canary,
    spin: runner.spin,
    plan: split.plan,
  };
}

function describe(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.split("\n")[0]!.slice(0, 500);
}
