// The golden data: what PyTorch, PEFT and TRL computed. Files larger than a few kilobytes are stored with gzip.

import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { ModelFiles } from "../../src/model/files.ts";
import { bytesSource } from "../../src/model/safetensors.ts";
import type { TokenPair } from "../../src/train/pair.ts";

const DATA = new URL("./data/", import.meta.url);

/** The models with weights: forward, dpo and greedy data exist for each. */
export const MODELS = ["tiny-qwen2", "awkward-qwen2", "tiny-llama", "tiny-llama3", "tiny-codellama", "tiny-qwen3"] as const;

export interface GoldenTensor {
  shape: number[];
  /** Row-major float32 values. */
  data: Float32Array<ArrayBuffer>;
}

/** A golden file's bytes, or null where there is none; paths are relative to data/ and without ".gz". */
export function findBytes(path: string): Uint8Array | null {
  const plain = new URL(path, DATA);
  if (existsSync(plain)) return readFileSync(plain);
  const packed = new URL(`${path}.gz`, DATA);
  return existsSync(packed) ? gunzipSync(readFileSync(packed)) : null;
}

export function readBytes(path: string): Uint8Array {
  const bytes = findBytes(path);
  if (!bytes) throw new Error(`test/golden/data/${path} is missing.`);
  return bytes;
}

/** Equality to the bit; quick where toEqual looks at each value. */
export function sameBytes(a: ArrayBufferView, b: ArrayBufferView): boolean {
  const bytes = (view: ArrayBufferView) => Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  return bytes(a).equals(bytes(b));
}

/** A JSON file. The type is the caller's claim: golden files are part of the tests. */
export function readJson<T>(path: string): T {
  return JSON.parse(new TextDecoder().decode(readBytes(path)));
}

/** The values of a text with one JSON value a line. */
export function jsonLines<T>(text: string): T[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/** A file with one JSON value a line. */
export function readJsonLines<T>(path: string): T[] {
  return jsonLines(new TextDecoder().decode(readBytes(path)));
}

/** A line of the golden logps files, as `errata logps` prints it. */
export interface LogpsLine {
  chosen_logp: number;
  rejected_logp: number;
  ref_chosen_logp: number;
  ref_rejected_logp: number;
  chosen_token_logps: number[];
  rejected_token_logps: number[];
}

/** A file of token pairs. */
export function readTokenPairs(path: string): TokenPair[] {
  const pairs = readJsonLines<Record<"prompt_ids" | "chosen_ids" | "rejected_ids", number[]>>(path);
  return pairs.map(({ prompt_ids: promptIds, chosen_ids: chosenIds, rejected_ids: rejectedIds }) => ({
    promptIds,
    chosenIds,
    rejectedIds,
  }));
}

/** The float32 tensors of a safetensors file, by a reader that shares nothing with the one under test. */
export function readSafetensors(path: string): Map<string, GoldenTensor> {
  return tensorsOf(readBytes(path));
}

/** The same of a file's bytes. */
export function tensorsOf(bytes: Uint8Array): Map<string, GoldenTensor> {
  const begin = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }> = JSON.parse(
    new TextDecoder().decode(bytes.subarray(8, begin)),
  );
  const tensors = new Map<string, GoldenTensor>();
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    if (dtype !== "F32") throw new Error(`${name} is ${dtype}, not F32.`);
    const data = new Uint8Array(bytes.subarray(begin + offsets[0], begin + offsets[1]));
    tensors.set(name, { shape, data: new Float32Array(data.buffer) });
  }
  return tensors;
}

/** The files of a golden folder, as the product reads a model or an adapter: "models/tiny-qwen2", "dpo/tiny-qwen2/r8/adapter". */
export function folder(path: string): ModelFiles {
  return {
    id: path.slice(path.lastIndexOf("/") + 1),
    open: async (name) => {
      const bytes = findBytes(`${path}/${name}`);
      return bytes && bytesSource(name, bytes);
    },
  };
}

/** The files of a golden model: one of MODELS, or tiny-qwen2-f16, tiny-qwen2-bf16. */
export function modelFiles(name: string): ModelFiles {
  return folder(`models/${name}`);
}
