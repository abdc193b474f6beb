// The other side of the interop tests: a Python with the real PyTorch, PEFT and TRL, asked over its standard input (peers.py).
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { findPython } from "../../scripts/ensure_python.mjs";
import type { LogpsLine } from "../golden/golden.ts";

/** What peers.py can be asked, and what it answers: its functions say more. */
interface Requests {
  logps: { arguments: { model: string; pairs: string; adapter?: string; double?: boolean }; result: LogpsLine[] };
  gradients: { arguments: { model: string; pairs: string; adapter: string; out: string }; result: number };
  greedy: {
    arguments: { model: string; prompt_ids: readonly number[]; tokens: number; adapter?: string };
    result: { ids: number[]; margin: number };
  };
  make: { arguments: { out: string; config: object; lora: object; seed: number; dtype?: string }; result: number };
  train: {
    arguments: { model: string; preferences: string; adapter?: string; steps?: number; batch?: number };
    result: { columns: string[]; rows: number; steps: Record<string, number>[] };
  };
}

export class Peers {
  #process: ChildProcessWithoutNullStreams;
  #answers: AsyncIterator<string>;
  #said = "";

  /** Starts the Python; importing its libraries takes a while, and requests wait for it. */
  constructor() {
    const python = findPython();
    if (!python) throw new Error("No Python here has test/interop/requirements.txt: npm test installs them into .venv.");
    this.#process = spawn(python, [join(import.meta.dirname, "peers.py")]);
    this.#process.stderr.setEncoding("utf8").on("data", (text) => {
      this.#said += text;
    });
    this.#answers = createInterface(this.#process.stdout)[Symbol.asyncIterator]();
  }

  /** Asks one thing after another: the Python answers in order. */
  async ask<D extends keyof Requests>(what: D, request: Requests[D]["arguments"]): Promise<Requests[D]["result"]> {
    this.#process.stdin.write(`${JSON.stringify({ do: what, ...request })}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`Python ended: ${this.#said.slice(-2000)}`);
    const answer: { result: Requests[D]["result"]; error?: string } = JSON.parse(value);
    if (answer.error !== undefined) throw new Error(`Python could not ${what}: ${answer.error}`);
    return answer.result;
  }

  end(): void {
    this.#process.stdin.end();
  }
}
