// A GGUF file's metadata by key, with sentences for what is missing in it.

import { InputError } from "../input_error.ts";
import type { GgufValue } from "./gguf_header.ts";

const ARCHITECTURES = ["llama", "qwen2", "qwen3"];

export class GgufMetadata {
  readonly file: string;
  readonly architecture: string;
  #values: ReadonlyMap<string, GgufValue>;

  constructor(file: string, values: ReadonlyMap<string, GgufValue>) {
    this.file = file;
    this.#values = values;
    this.architecture = String(values.get("general.architecture") ?? "");
    if (ARCHITECTURES.includes(this.architecture)) return;
    throw new InputError(`${file}: the architecture ${this.architecture || "(none)"} cannot be run; expected llama, qwen2 or qwen3.`);
  }

  /** A value, or undefined; `name` begins with "." where it belongs to the architecture. */
  get(name: string): GgufValue | undefined {
    return this.#values.get(name.startsWith(".") ? this.architecture + name : name);
  }

  number(name: string): number {
    const value = this.get(name);
    if (typeof value === "number") return value;
    throw this.#missing(name, "a number", value);
  }

  strings(name: string): string[] {
    const value = this.get(name);
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
    throw this.#missing(name, "a list of texts", value);
  }

  #missing(name: string, expected: string, found: GgufValue | undefined): InputError {
    const key = name.startsWith(".") ? this.architecture + name : name;
    return new InputError(
      `${this.file}: expected ${key}, ${expected}, in the metadata, found ${found === undefined ? "none" : typeof found}.`,
    );
  }
}
