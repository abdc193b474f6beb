// errata merge: base and adapter as one model folder.

import { existsSync, realpathSync } from "node:fs";
import { basename } from "node:path";
import { InputError } from "../input_error.ts";
import { readConfig } from "../model/config.ts";
import { type ModelFiles, readJson } from "../model/files.ts";
import { factorsByWeight, type MergedDtype, mergeFile } from "../model/merge.ts";
import { readAdapter } from "../model/peft.ts";
import type { ByteSource } from "../model/safetensors.ts";
import { openWeights } from "../model/weights.ts";
import type { Command } from "./command.ts";
import { choiceFlag, textFlag } from "./flags.ts";
import { folderFiles } from "./folder.ts";
import { openModelFiles } from "./model_source.ts";
import { ADAPTER_FLAG, MODEL_FLAGS } from "./open.ts";
import { OutFolder } from "./out_folder.ts";
import { callerPath, DEMO_MODEL } from "./paths.ts";

/** The flag's names, safetensors' and torch's. */
const DTYPES: Readonly<Record<"f32" | "f16" | "bf16", { stored: MergedDtype; torch: string }>> = {
  f32: { stored: "F32", torch: "float32" },
  f16: { stored: "F16", torch: "float16" },
  bf16: { stored: "BF16", torch: "bfloat16" },
};

const INDEX = "model.safetensors.index.json";

/** What a model folder has beside its weights; each is copied where it is there. */
const COMPANIONS = [
  "config.json",
  INDEX,
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "tokenizer.model",
  "chat_template.jinja",
  "chat_template.json",
  "LICENSE",
];

const flags = {
  model: MODEL_FLAGS.model,
  "hub-url": MODEL_FLAGS["hub-url"],
  ...ADAPTER_FLAG,
  out: textFlag("FOLDER", "where the merged model goes", null),
  dtype: choiceFlag(["f32", "f16", "bf16"], "how its weights are stored (as the base's)", null),
} as const;

export const mergeCommand: Command<typeof flags> = {
  name: "merge",
  summary: "base and adapter as one model folder",
  description: `Writes base + scale * B A as safetensors, with the base's config, tokenizer and chat template: a Hugging Face folder that needs no
PEFT. The base's files keep their names and, without --dtype, their dtype: half precision rounds the merged weights. Runs without a GPU, some
rows at a time. Prints how many of the base's tensors the adapter changed.

  errata merge --model MODEL --adapter RUN/adapter --out MERGED`,
  flags,
  run: async (values, { print, progress, interrupted }) => {
    if (values.adapter === null) throw new InputError("Say which adapter to merge: --adapter FOLDER.");
    if (values.out === null) throw new InputError("Say where the merged model goes: --out FOLDER.");
    const base = await openModelFiles(values.model, values["hub-url"], progress);
    const configJson = await readObject(base, "config.json");
    if (configJson === null) throw new InputError(`${base.id} has no config.json: name a Hugging Face model folder.`);
    const config = readConfig(configJson, `${base.id}/config.json`);
    const index = await readObject(base, INDEX);
    const weights = await openWeights(base);
    weights.check(config);
    const sources = weightFiles(weights.tensors);
    const factors = factorsByWeight(await readAdapter(await folderFiles(callerPath(values.adapter)), config), config);
    const dtype = values.dtype === null ? null : DTYPES[values.dtype];

    const out = new OutFolder(callerPath(values.out));
    if (isSameFolder(out.path, values.model === "" ? DEMO_MODEL : callerPath(values.model)))
      throw new InputError("--out is the base's own folder: name another one.");
    out.remove("model.safetensors", INDEX); // of an earlier merge, which may have had other files
    let total_size = 0;
    for (const source of sources) {
      const { tensorBytes, pieces } = await mergeFile(source, factors, dtype?.stored ?? null);
      for await (const piece of pieces) {
        interrupted.throwIfAborted();
        out.append(basename(source.name), piece);
      }
      total_size += tensorBytes;
      progress.show(`merging: ${(total_size / 1e6).toFixed(0)} MB written`);
    }
    await copyFiles(base, out);
    if (dtype) writeJson(out, "config.json", withDtype(configJson, dtype.torch));
    if (dtype && index) writeJson(out, INDEX, { ...index, metadata: { ...readMetadata(index), total_size } });
    print(JSON.stringify({ changed: factors.size, tensors: weights.tensors.size, files: sources.length, bytes: total_size }));
  },
};

const isSameFolder = (a: string, b: string): boolean => existsSync(b) && realpathSync(a) === realpathSync(b);

/** The files that hold the base's tensors, each once. */
function weightFiles(tensors: ReadonlyMap<string, { readonly source: ByteSource }>): ByteSource[] {
  const sources = [...new Map([...tensors.values()].map(({ source }) => [source.name, source])).values()];
  const other = sources.find(({ name }) => !name.endsWith(".safetensors"));
  if (other) throw new InputError(`${other.name}: expected a base with its weights in safetensors, found another format.`);
  return sources;
}

async function copyFiles(base: ModelFiles, out: OutFolder): Promise<void> {
  for (const name of COMPANIONS) {
    const source = await base.open(name);
    if (source) out.write(name, await source.slice(0, source.size));
    else out.remove(name);
  }
}

/** The dtype goes into the field that the config has for it: torch_dtype in files of transformers 4. */
function withDtype(config: Json, dtype: string): Json {
  return { ...config, ["torch_dtype" in config ? "torch_dtype" : "dtype"]: dtype };
}

function readMetadata({ metadata }: Json): Json {
  return isObject(metadata) ? metadata : {};
}

type Json = Record<string, unknown>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function readObject(files: ModelFiles, path: string): Promise<Json | null> {
  const json = await readJson(files, path);
  if (json === null || isObject(json)) return json;
  throw new InputError(`${files.id}/${path}: expected an object.`);
}

function writeJson(out: OutFolder, path: string, json: Json): void {
  out.write(path, `${JSON.stringify(json, null, 2)}\n`);
}
