// What crosses between the engine and the sandbox frame, on one MessagePort: plain data, checked on arrival. The frame runs steps
// and gives back what came out; it never learns what a test expects.
import * as v from "valibot";

/** The files that the page posts into the frame, by name; all from our own origin. */
export const PYODIDE_FILES = ["pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json"] as const;
export type PyodideFile = (typeof PYODIDE_FILES)[number];

/** Page to frame, once, with the frame's end of the port. */
export const openSchema = v.object({
  type: v.literal("open"),
  files: v.object({
    "pyodide.mjs": v.instance(ArrayBuffer),
    "pyodide.asm.mjs": v.instance(ArrayBuffer),
    "pyodide.asm.wasm": v.instance(ArrayBuffer),
    "python_stdlib.zip": v.instance(ArrayBuffer),
    "pyodide-lock.json": v.instance(ArrayBuffer),
  } satisfies Record<PyodideFile, unknown>),
  /** A snapshot that an earlier sandbox of the same files gave, or null. */
  snapshot: v.nullable(v.instance(ArrayBuffer)),
  /** Give out the snapshot that is made, to be kept for the next time. */
  giveSnapshot: v.boolean(),
  /** Interpreters that run answers; one more makes the plans. */
  workers: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(16)),
});
export type Open = v.InferOutput<typeof openSchema>;

/** "program": the answer itself is run with the source as its standard input, and gives what it printed. */
export const STEP_KINDS = ["value", "run", "inside", "program"] as const;
const step = v.object({ kind: v.picklist(STEP_KINDS), source: v.string() });

/** Engine to frame. */
export const requestSchema = v.variant("type", [
  v.object({ type: v.literal("plan"), id: v.number(), entryPoint: v.string(), setup: v.string(), tests: v.array(v.string()) }),
  v.object({
    type: v.literal("run"),
    id: v.number(),
    program: v.string(),
    entryPoint: v.string(),
    prelude: v.string(),
    setup: v.string(),
    steps: v.array(step),
    /** For all of it. */
    timeoutMs: v.number(),
    /** For the program's own execution and for each step, beside that; empty where there are no such limits. */
    stepTimeoutsMs: v.array(v.number()),
    /** In an interpreter that has run nothing before. */
    fresh: v.boolean(),
    /** With nothing else running beside it, and more time where the machine is measurably slower than at its best. */
    alone: v.boolean(),
  }),
  v.object({ type: v.literal("cancel"), id: v.number() }),
]);
export type SandboxRequest = v.InferOutput<typeof requestSchema>;
export type RunRequest = Extract<SandboxRequest, { type: "run" }>;

/** How a run ended. "done": all steps ran or one of them raised (then the last result is the error). */
export const END_KINDS = ["done", "timeout", "crash", "exit", "output_limit", "infra_error"] as const;

const outcomeSchema = v.object({
  type: v.literal("outcome"),
  id: v.number(),
  end: v.picklist(END_KINDS),
  /** One text per step that ran, the program's own execution first: "" or an encoded value, or "!" and an encoded error. */
  results: v.array(v.string()),
  /** Time that each of them took. */
  stepSeconds: v.array(v.number()),
  message: v.string(),
  stderr: v.string(),
  /** Time that the answer ran. */
  seconds: v.number(),
  /** The limit that ran out, in ms, where one did, as it was asked for. */
  limitMs: v.number(),
  /** How long after its deadline the run was ended, in ms; 0 for one that ended by itself. */
  overrunMs: v.number(),
  /** The interpreter had run nothing before. */
  fresh: v.boolean(),
  /** False when the interpreter was found changed after the run: the outcome is in doubt. */
  healthy: v.boolean(),
  /** Messages of workers so far that had another shape or run than they should: forged, or late. */
  dropped: v.number(),
});
export type Outcome = v.InferOutput<typeof outcomeSchema>;

/** Frame to engine. */
export const replySchema = v.variant("type", [
  v.object({ type: v.literal("ready"), snapshot: v.nullable(v.instance(ArrayBuffer)) }),
  v.object({ type: v.literal("broken"), message: v.string() }),
  /** Now and then: the frame is there, however long a run takes. */
  v.object({ type: v.literal("alive") }),
  v.object({ type: v.literal("planned"), id: v.number(), plan: v.string() }),
  v.object({ type: v.literal("failed"), id: v.number(), message: v.string() }),
  outcomeSchema,
]);
export type SandboxReply = v.InferOutput<typeof replySchema>;

/** Frame to interpreter worker, on their own port. */
export type Job =
  | {
      type: "run";
      run: string;
      program: string;
      entryPoint: string;
      prelude: string;
      setup: string;
      steps: readonly { kind: string; source: string }[];
      spin: boolean;
      /** No other job follows: nothing is restored. */
      last: boolean;
    }
  | { type: "plan"; run: string; entryPoint: string; setup: string; tests: string };

const text = v.pipe(v.string(), v.maxLength((1 << 20) + 65536));

/** Interpreter worker to frame. It may have been taken over by an answer: anything of another shape or run is dropped and counted. */
export const reportSchema = v.variant("type", [
  v.object({ type: v.literal("booted"), snapshot: v.optional(v.instance(ArrayBuffer)), spinMs: v.nullable(v.number()), canary: text }),
  v.object({ type: v.literal("boot_failed"), message: text }),
  /** The answer's time starts. */
  v.object({ type: v.literal("begun"), run: v.string(), spinMs: v.number() }),
  v.object({ type: v.literal("result"), run: v.string(), text, seconds: v.number() }),
  v.object({ type: v.literal("output_limit"), run: v.string() }),
  v.object({ type: v.literal("planned"), run: v.string(), plan: v.string() }),
  v.object({
    type: v.literal("end"),
    run: v.string(),
    kind: v.picklist(["done", "exit", "crash"]),
    message: text,
    stderr: text,
    seconds: v.number(),
  }),
  /** The interpreter is as it was before the run; false: it must be replaced. */
  v.object({ type: v.literal("restored"), run: v.string(), clean: v.boolean(), canary: text }),
]);
export type Report = v.InferOutput<typeof reportSchema>;
