// What a command is.
import type { Flags, Values } from "./flags.ts";
import type { Progress } from "./progress.ts";

export interface Console {
  /** One line of data, on stdout. */
  print(line: string): void;
  readonly progress: Progress;
  /** Aborted by Ctrl-C: stop at the next good moment and keep what there is. */
  readonly interrupted: AbortSignal;
}

export interface Command<F extends Flags = Flags> {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** More for --help: what it reads, prints and writes, and an example. */
  readonly description: string;
  readonly flags: F;
  /** The words that may follow the command's name, of which one must; none where it is absent. */
  readonly subjects?: readonly string[];
  run(values: Values<F>, console: Console, subject: string): Promise<void>;
}
