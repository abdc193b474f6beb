// What the reference (the model with its adapter off) gives to pairs: computed once, then kept under a key that names all that it
// depends on. Under any other model, dtype, device or kernel the key is another one, and what was kept is not found.

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import type { Gpu } from "../gpu/gpu.ts";
import { shaders } from "../gpu/shaders.ts";
import type { Model } from "../model/model.ts";
import type { CompletionLogps } from "./logps.ts";
import type { TokenPair } from "./pair.ts";

/** To be raised where launchers change in a way that no shader's text shows and that moves the last bits. */
const FORMAT = 1;

/** Where log-probabilities of the reference are kept. */
export interface ReferenceStore {
  get(key: string): CompletionLogps | undefined;
  keep(key: string, logps: CompletionLogps): Promise<void>;
}

/** A store that lasts as long as its trainer. */
export function memoryReferences(): ReferenceStore {
  const known = new Map<string, CompletionLogps>();
  return { get: (key) => known.get(key), keep: async (key, logps) => void known.set(key, logps) };
}

/** What all keys of a model on a device begin with. */
export function referenceIdentity({ device, tiles }: Gpu, { sha256: weights, config, dtype }: Model): string {
  const info: GPUAdapterInfo | undefined = device.adapterInfo; // younger than WebGPU itself
  const adapter = [info?.vendor, info?.architecture, info?.device, info?.description];
  return digest(JSON.stringify([FORMAT, weights, config, dtype, adapter, tiles, [...shaders].sort()]));
}

/** Of the code that decides a pass's last bits: on the same device, other kernels may give others. */
export const kernelsChecksum = (): string => digest(JSON.stringify([FORMAT, [...shaders].sort()]));

/** The key of a pair. Its tokens say what the tokenizer made of its texts. */
export const referenceKey = (identity: string, { promptIds, chosenIds, rejectedIds }: TokenPair): string =>
  digest(`${identity} ${promptIds}|${chosenIds}|${rejectedIds}`);

const digest = (text: string): string => bytesToHex(sha256(utf8ToBytes(text)));

/** Log-probabilities as text that journals can hold: the bytes of the float32 values, in base64. */
export interface WrittenLogps {
  readonly chosen: string;
  readonly rejected: string;
}

export const writeLogps = ({ chosen, rejected }: CompletionLogps): WrittenLogps => ({
  chosen: toBase64(chosen),
  rejected: toBase64(rejected),
});

export const readLogps = ({ chosen, rejected }: WrittenLogps): CompletionLogps => ({
  chosen: fromBase64(chosen),
  rejected: fromBase64(rejected),
});

function toBase64(values: Float32Array): string {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

function fromBase64(text: string): Float32Array {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Float32Array(bytes.buffer, 0, bytes.length >> 2);
}
