// A model of any shape whose weights are made up as they are read: nothing of them is stored.
import type { ModelFiles } from "../src/model/files.ts";
import { type ByteSource, bytesSource } from "../src/model/safetensors.ts";

/**
 * A folder with config.json, made-up half-precision weights in the order of `shapes`, and the other files of `small` (a tokenizer: it may
 * have fewer tokens than the vocabulary has rows).
 */
export function madeUpModel(config: object, shapes: ReadonlyMap<string, readonly number[]>, small: ModelFiles): ModelFiles {
  let end = 0;
  const entries = [...shapes].map(([name, shape]) => {
    const begin = end;
    end += 2 * shape.reduce((a, b) => a * b, 1);
    return [name, { dtype: "F16", shape, data_offsets: [begin, end] }];
  });
  const header = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const first = 8 + header.length + (-header.length & 7);
  const head = new Uint8Array(first).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(first - 8), true);
  head.set(header, 8);
  const source: ByteSource = {
    name: "model.safetensors",
    size: first + end,
    slice: async (from, to) => {
      if (to <= first) return head.slice(from, to);
      if (from < first) return join(head.subarray(from), await source.slice(first, to));
      return new Uint8Array(madeUpHalves((from - first) / 2, (to - from) / 2).buffer);
    },
  };
  return {
    id: "made-up",
    open: async (path) => {
      if (path === "model.safetensors") return source;
      return path === "config.json" ? bytesSource(path, new TextEncoder().encode(JSON.stringify(config))) : small.open(path);
    },
  };
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** The bits of numbers of either sign between 2^-8 and 2^-4, a function of their index. */
export function madeUpHalves(first: number, count: number): Uint16Array<ArrayBuffer> {
  const bits = new Uint16Array(count);
  for (let i = 0; i < count; i++) {
    let x = Math.imul(first + i, 0x9e3779b1);
    x = Math.imul(x ^ (x >>> 15), 0x85ebca6b);
    bits[i] = 0x1c00 + ((x >>> 8) & 0xfff) + (x & 0x8000);
  }
  return bits;
}
