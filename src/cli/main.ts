// The command line: which command, its flags, and what becomes of errors.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { InputError, messageOf } from "../input_error.ts";
import { benchCommand } from "./bench_command.ts";
import type { Console } from "./command.ts";
import { exportCommand } from "./export_command.ts";
import { describeFlags, type Flags, readFlags } from "./flags.ts";
import { generateCommand } from "./generate_command.ts";
import { judgeCommand } from "./judge_command.ts";
import { logpsCommand } from "./logps_command.ts";
import { mergeCommand } from "./merge_command.ts";
import { ROOT } from "./paths.ts";
import { openProgress } from "./progress.ts";
import { runCommand } from "./run_command.ts";
import { SITTING_COMMANDS } from "./sitting_commands.ts";
import { trainCommand } from "./train_command.ts";
import { whyCommand } from "./why_command.ts";

/** A command with its flags' types behind it: arguments in, work done. */
interface Entry {
  readonly name: string;
  readonly summary: string;
  readonly help: string;
  run(args: readonly string[], console: Console): Promise<void>;
}

function entryOf<F extends Flags>(command: {
  name: string;
  summary: string;
  description: string;
  flags: F;
  subjects?: readonly string[];
  run(values: ReturnType<typeof readFlags<F>>, console: Console, subject: string): Promise<void>;
}): Entry {
  const { name, summary, description, flags, subjects = [] } = command;
  const help = `errata ${name}: ${summary}\n\n${description}\n\nFlags\n${describeFlags(flags)}`;
  return {
    name,
    summary,
    help,
    run: (args, console) => {
      const subject = readSubject(name, subjects, args[0]);
      return command.run(readFlags(name, flags, subject === "" ? args : args.slice(1)), console, subject);
    },
  };
}

/** The first word behind the command's name, where it takes one: `gemm` of `bench gemm`. */
function readSubject(name: string, subjects: readonly string[], word = ""): string {
  if (subjects.length === 0 || subjects.includes(word)) return subjects.length === 0 ? "" : word;
  throw new InputError(`errata ${name} must be followed by one of ${subjects.join(", ")}; found ${word || "nothing"}.`);
}

const ENTRIES: readonly Entry[] = [
  entryOf(runCommand),
  ...SITTING_COMMANDS.map((command) => entryOf(command)),
  entryOf(generateCommand),
  entryOf(logpsCommand),
  entryOf(trainCommand),
  entryOf(mergeCommand),
  entryOf(judgeCommand),
  entryOf(benchCommand),
  entryOf(whyCommand),
  entryOf(exportCommand),
];

const HELP = `errata: teaches a small code model from its own mistakes, on WebGPU.

  errata COMMAND [flags]

Commands
${ENTRIES.map(({ name, summary }) => `  ${name.padEnd(10)}${summary}`).join("\n")}

errata COMMAND --help describes a command, errata --version says the version. Data goes to stdout, progress to stderr. Paths are relative to
the folder you call from. Bad input ends with one sentence and exit status 2. Under npm: npm run -s errata -- COMMAND.`;

/** Where data and progress go. */
export interface Streams {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: NodeJS.WriteStream;
}

const INTERRUPTED = 130;
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Runs the command line; gives the exit status. */
export async function main(args: readonly string[], streams: Streams = process): Promise<number> {
  const { stdout, stderr } = streams;
  const progress = openProgress(stderr);
  const interrupt = new AbortController();
  const onInterrupt = () => {
    progress.say("stopping; what there is, is kept");
    interrupt.abort();
  };
  for (const signal of SIGNALS) process.once(signal, onInterrupt);
  try {
    await dispatch(args, { print: (line) => void stdout.write(`${line}\n`), progress, interrupted: interrupt.signal });
    progress.end();
    return interrupt.signal.aborted ? INTERRUPTED : 0;
  } catch (error) {
    progress.end();
    if (interrupt.signal.aborted && error instanceof DOMException && error.name === "AbortError") return INTERRUPTED;
    return report(error, stderr);
  } finally {
    for (const signal of SIGNALS) process.off(signal, onInterrupt);
  }
}

async function dispatch([name, ...args]: readonly string[], console: Console): Promise<void> {
  if (name === undefined || name === "--help" || name === "-h" || name === "help") return console.print(HELP);
  if (name === "--version") return console.print(version());
  const entry = ENTRIES.find((candidate) => candidate.name === name);
  if (!entry) throw new InputError(`There is no command ${name}: errata --help lists them.`);
  if (args.includes("--help") || args.includes("-h")) return console.print(entry.help);
  await entry.run(args, console);
}

/** Says what went wrong in one line; gives the exit status: 2 for what the user can mend, 1 for the rest. */
function report(error: unknown, stderr: Streams["stderr"]): number {
  const message = messageOf(error);
  stderr.write(`errata: ${message.replace(/\s*\n\s*/g, " ")}\n`);
  if (error instanceof InputError) return 2;
  if (error instanceof Error && process.env.ERRATA_DEBUG) stderr.write(`${error.stack}\n`);
  return 1;
}

function version(): string {
  const { version }: { version: string } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  return version;
}
