import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../../src/input_error.ts";
import {
  bf16BitsToF32,
  bytesSource,
  duplicateKey,
  f16BitsToF32,
  f32ToBf16Bits,
  f32ToF16Bits,
  readSafetensorsHeader,
  readTensorF32,
  writeSafetensors,
} from "../../src/model/safetensors.ts";
import { MODELS, modelFiles, readBytes, readJson, readSafetensors, sameBytes } from "../golden/golden.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A file with any header text and any data, its length field right or as given. */
function fileOf(header: string | Json, data: Uint8Array = new Uint8Array(0), length?: bigint): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + data.length);
  new DataView(file.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  file.set(text, 8);
  file.set(data, 8 + text.length);
  return file;
}

function read(file: Uint8Array) {
  return readSafetensorsHeader(bytesSource("f.safetensors", file));
}

function entry(begin: number, end: number, shape: Json = [(end - begin) / 4], dtype: Json = "F32"): Json {
  return { dtype, shape, data_offsets: [begin, end] };
}

describe("golden files", () => {
  test.each(MODELS)("%s reads as PyTorch wrote it", async (model) => {
    const source = await modelFiles(model).open("model.safetensors");
    const golden = readSafetensors(`models/${model}/model.safetensors`);
    const { tensors, metadata } = await readSafetensorsHeader(source!);
    expect(metadata).toEqual({ format: "pt" });
    expect([...tensors.keys()].sort()).toEqual([...golden.keys()].sort());
    for (const [name, info] of tensors) {
      expect(info.shape).toEqual(golden.get(name)!.shape);
      expect(sameBytes(await readTensorF32(source!, info), golden.get(name)!.data)).toBe(true);
    }
  });

  test.each(["adapter", "moments"])("%s, written again, has the very bytes that PyTorch wrote", async (kind) => {
    const path = kind === "adapter" ? "dpo/tiny-qwen2/r8/adapter/adapter_model.safetensors" : "optim/linear_wd0/moments_step10.safetensors";
    const tensors = [...readSafetensors(path)].map(([name, { shape, data }]) => ({ name, shape, data }));
    const { metadata } = await readSafetensorsHeader(bytesSource(path, readBytes(path)));
    expect(sameBytes(writeSafetensors(tensors.reverse(), metadata), readBytes(path))).toBe(true);
  });

  test("f16 and bf16 weights are the rounded f32 ones", async () => {
    const exact = readSafetensors("models/tiny-qwen2/model.safetensors");
    for (const [model, relative] of [
      ["tiny-qwen2-f16", 2 ** -11],
      ["tiny-qwen2-bf16", 2 ** -8],
    ] as const) {
      const source = await modelFiles(model).open("model.safetensors");
      const { tensors } = await readSafetensorsHeader(source!);
      expect(tensors.size).toBe(exact.size);
      for (const [name, info] of tensors) {
        const values = await readTensorF32(source!, info);
        const wrong = exact.get(name)!.data.findIndex((value, i) => Math.abs(values[i]! - value) > Math.abs(value) * relative + 2 ** -25);
        expect([name, wrong]).toEqual([name, -1]);
      }
    }
  });
});

describe("half precision", () => {
  const golden = readJson<{ f32_bits: number[]; f16_bits: number[]; bf16_bits: number[] }>("quant/half.json");

  test("rounds as PyTorch does: ties to even, subnormals, overflow", () => {
    const values = new Float32Array(new Uint32Array(golden.f32_bits).buffer);
    expect([...f32ToF16Bits(values)]).toEqual(golden.f16_bits);
  });

  test("rounds to bfloat16 as PyTorch does", () => {
    const values = new Float32Array(new Uint32Array(golden.f32_bits).buffer);
    expect([...f32ToBf16Bits(values)]).toEqual(golden.bf16_bits);
    expect(bf16BitsToF32(f32ToBf16Bits(new Float32Array([Number.NaN])))[0]).toBeNaN();
  });

  test("every half-precision number goes to float32 and back, NaN as NaN", () => {
    const halves = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const values = f16BitsToF32(halves);
    const back = f32ToF16Bits(values);
    const isNaN16 = (half: number) => (half & 0x7fff) > 0x7c00;
    expect(halves.every((half, i) => (isNaN16(half) ? Number.isNaN(values[i]) && isNaN16(back[i]!) : back[i] === half))).toBe(true);
    expect([values[1], values[0x3ff], values[0x400], values[0x3c00], values[0x7bff], values[0x7c00], values[0xfc00]]).toEqual([
      2 ** -24,
      1023 * 2 ** -24,
      2 ** -14,
      1,
      65504,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]);
    expect(Object.is(values[0x8000], -0)).toBe(true);
  });

  test("float32 rounds to the nearest half-precision number, and to the even one of two", () => {
    const isEven = (half: number) => half % 2 === 0;
    fc.assert(
      fc.property(fc.float({ min: Math.fround(-65504), max: Math.fround(65504), noNaN: true }), (value) => {
        const [half] = f32ToF16Bits(new Float32Array([value]));
        const at = (bits: number) => f16BitsToF32(new Uint16Array([bits]))[0]!;
        const distance = Math.abs(at(half!) - value);
        for (const neighbour of [half! - 1, half! + 1]) {
          if ((neighbour & 0x7fff) >= 0x7c00 || (neighbour ^ half!) & 0x8000) continue;
          const other = Math.abs(at(neighbour & 0xffff) - value);
          expect(distance < other || (distance === other && isEven(half!))).toBe(true);
        }
      }),
      { numRuns: 2000, seed: 3 },
    );
  });

  test("bfloat16 is float32's upper half", () => {
    expect([...bf16BitsToF32(new Uint16Array([0x3f80, 0x0001, 0xff80, 0x8000]))]).toEqual([1, 2 ** -133, Number.NEGATIVE_INFINITY, -0]);
    expect(Number.isNaN(bf16BitsToF32(new Uint16Array([0x7fc0]))[0])).toBe(true);
  });
});

describe("malformed files are refused with one sentence", () => {
  const two = { a: entry(0, 8), b: entry(8, 16) };
  const data = new Uint8Array(16);
  const bytes = (...values: number[]) => new Uint8Array(values);
  const cases: [string, Uint8Array, string][] = [
    ["no bytes", bytes(), "expected at least 8 bytes, found 0."],
    ["seven bytes", bytes(1, 2, 3, 4, 5, 6, 7), "expected at least 8 bytes, found 7."],
    ["a header longer than the file", fileOf(two, data, 4000n), "expected a header of 4000 bytes, found a file of"],
    ["a header of 100 MB and a byte", fileOf(two, data, 100_000_001n), "at most 100000000 bytes, found a length of 100000001."],
    ["a header length of 64 bits", fileOf(two, data, 2n ** 64n - 1n), "found a length of 18446744073709551615."],
    ["an empty header", fileOf(""), "found 0 bytes that are not JSON."],
    ["a header that is no JSON", fileOf("{nope}"), "found 6 bytes that are not JSON."],
    ["a header that is no UTF-8", fileOf('{"?":1}').with(10, 0xff), "found 7 bytes that are not JSON."],
    ["a header that is a list", fileOf([]), "expected a JSON object as header, found other JSON."],
    ["a header with leading space", fileOf(` ${JSON.stringify(two)}`, data), "found other JSON."],
    ["a name twice", fileOf(`{"a":${JSON.stringify(entry(0, 8))},"\\u0061":${JSON.stringify(entry(8, 16))}}`, data), 'found "a" twice.'],
    [
      "a field twice",
      fileOf('{"a":{"dtype":"F16","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', bytes(...data.slice(8))),
      'found "dtype" twice.',
    ],
    ["an entry that is no object", fileOf({ a: 3 }), 'tensor "a": expected an object with dtype, shape and data_offsets, found 3.'],
    ["an unknown dtype", fileOf({ a: entry(0, 16, [4], "F31") }, data), 'found "F31".'],
    ["a dtype named like a method", fileOf({ a: entry(0, 16, [4], "toString") }, data), "expected a dtype among"],
    ["a dtype of another size", fileOf({ a: entry(0, 16, [4], "F16") }, data), "expected 8 bytes for shape [4] of F16, found 16"],
    ["a shape that is none", fileOf({ a: entry(0, 16, "4") }, data), 'expected a shape of whole numbers, found "4".'],
    ["a negative dimension", fileOf({ a: entry(0, 16, [-4]) }, data), "expected a shape of whole numbers, found [-4]."],
    ["an empty tensor", fileOf({ a: entry(0, 0, [0, 4]) }), "expected dimensions of at least 1, found the empty shape [0,4]."],
    ["a shape beyond all memory", fileOf({ a: entry(0, 16, [2 ** 40, 2 ** 40]) }, data), "found 16"],
    [
      "offsets that are none",
      fileOf({ a: { dtype: "F32", shape: [4], data_offsets: [0] } }, data),
      "expected data_offsets [begin, end], found [0].",
    ],
    ["offsets in reverse", fileOf({ a: entry(16, 0, [4]) }, data), "expected data_offsets in order, found [16,0]."],
    ["overlapping tensors", fileOf({ a: entry(0, 8), b: entry(4, 16) }, data), 'tensor "b": overlaps the tensor before it'],
    ["equal tensors", fileOf({ a: entry(0, 16), b: entry(0, 16) }, data), 'tensor "b": overlaps the tensor before it'],
    [
      "a gap",
      fileOf({ a: entry(0, 4), b: entry(8, 16) }, data),
      'tensor "b": leaves a gap before it: expected data_offsets from 4, found 8.',
    ],
    ["a gap at the start", fileOf({ a: entry(4, 16) }, data), "leaves a gap before it"],
    ["bytes behind the last tensor", fileOf({ a: entry(0, 8) }, data), "expected the file to end with its last tensor"],
    ["missing bytes", fileOf(two, data.slice(4)), 'tensor "b": expected 16 bytes of data, found 12: the file is truncated.'],
    ["metadata that is no object", fileOf({ ...two, __metadata__: [] }, data), "__metadata__: expected an object of strings."],
    ["metadata of numbers", fileOf({ ...two, __metadata__: { epoch: 3 } }, data), '__metadata__: expected a string for "epoch", found 3.'],
  ];
  test.each(cases)("%s", async (_, file, message) => {
    const refused = read(file);
    await expect(refused).rejects.toThrow(InputError);
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toThrow(/^f\.safetensors: [^\n]+\.$/);
  });

  test("dtypes that weights cannot have are refused when they are read", async () => {
    const file = fileOf({ a: entry(0, 16, [2], "I64") }, data);
    const { tensors } = await read(file);
    await expect(readTensorF32(bytesSource("f.safetensors", file), tensors.get("a")!)).rejects.toThrow(
      'f.safetensors: tensor "a": expected dtype F32, F16 or BF16, found I64.',
    );
  });

  test("a header with nothing in it, scalars and names such as __proto__ are fine", async () => {
    expect((await read(fileOf({}))).tensors.size).toBe(0);
    const file = fileOf(`{"__proto__":${JSON.stringify(entry(0, 4, []))},"constructor":${JSON.stringify(entry(4, 8))}}   `, data.slice(8));
    expect([...(await read(file)).tensors.keys()]).toEqual(["__proto__", "constructor"]);
  });
});

test("duplicate keys are found in nested objects, and only there", () => {
  expect(duplicateKey('{"a":{"b":1,"c":[{"b":2},{"b":3}]},"b":"a\\"b"}')).toBeNull();
  expect(duplicateKey('{"x":[{"y":{"k":1,"z":[],"k":2}}]}')).toBe("k");
  fc.assert(
    fc.property(fc.json(), (json) => {
      expect(duplicateKey(json)).toBeNull();
    }),
    { numRuns: 300, seed: 1 },
  );
});

describe("properties", () => {
  const tensor = fc.record({
    name: fc.string({ minLength: 1, maxLength: 6 }).filter((name) => name !== "__metadata__"),
    shape: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }),
  });
  const tensors = fc.uniqueArray(tensor, { selector: ({ name }) => name, minLength: 1, maxLength: 4 });

  test("what is written is read again, in any order and with any names", async () => {
    await fc.assert(
      fc.asyncProperty(tensors, async (shapes) => {
        const written = shapes.map(({ name, shape }, t) => {
          const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => t + i / 7);
          return { name, shape, data };
        });
        const file = writeSafetensors(written, { format: "pt" });
        const header = await read(file);
        expect(header.tensors.size).toBe(written.length);
        expect(Number(new DataView(file.buffer).getBigUint64(0, true)) % 8).toBe(0);
        for (const { name, shape, data } of written) {
          const info = header.tensors.get(name)!;
          expect(info.shape).toEqual(shape);
          expect(await readTensorF32(bytesSource("f", file), info)).toEqual(data);
        }
      }),
      { numRuns: 300, seed: 11 },
    );
  });

  /** What a header must fulfil, said once more and in another way: every byte of data belongs to exactly one value of one tensor. */
  function isConsistent(file: Uint8Array, header: Awaited<ReturnType<typeof read>>): boolean {
    const sizes: Record<string, number> = { F64: 8, I64: 8, U64: 8, F32: 4, I32: 4, U32: 4, F16: 2, BF16: 2, I16: 2, U16: 2 };
    const begin = 8 + Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
    const owners = new Uint8Array(file.length - begin);
    for (const { dtype, shape, begin: from, end } of header.tensors.values()) {
      let bytes = sizes[dtype] ?? 1;
      for (const size of shape) bytes *= size;
      if (end - from !== bytes || from < begin || end > file.length) return false;
      for (let i = from; i < end; i++) owners[i - begin]!++;
    }
    return owners.every((owner) => owner === 1);
  }

  /** A valid file's header text and data with one to three changes: bytes, numbers, names, values, lengths. */
  const mutation = fc.oneof(
    fc.record({ kind: fc.constant("byte" as const), at: fc.nat(400), value: fc.integer({ min: 0, max: 255 }) }),
    fc.record({ kind: fc.constant("number" as const), at: fc.nat(40), value: fc.oneof(fc.nat(64), fc.integer(), fc.double()) }),
    fc.record({ kind: fc.constant("text" as const), at: fc.nat(40), value: fc.constantFrom("F32", "F16", "I8", "F99", "a", "shape", "") }),
    fc.record({ kind: fc.constant("json" as const), at: fc.nat(20), value: fc.json({ maxDepth: 2 }) }),
    fc.record({ kind: fc.constant("cut" as const), at: fc.nat(400), value: fc.nat(40) }),
    fc.record({ kind: fc.constant("grow" as const), at: fc.nat(400), value: fc.nat(40) }),
    fc.record({ kind: fc.constant("length" as const), at: fc.constant(0), value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
    fc.record({ kind: fc.constant("length" as const), at: fc.constant(0), value: fc.bigInt({ min: 0n, max: 300n }) }),
  );

  function replaceMatch(text: string, pattern: RegExp, at: number, value: string): string {
    const matches = [...text.matchAll(pattern)];
    const match = matches[at % Math.max(1, matches.length)];
    return match ? text.slice(0, match.index) + value + text.slice(match.index + match[0].length) : text;
  }

  function mutated(
    header: string,
    data: Uint8Array,
    mutations: readonly (typeof mutation extends fc.Arbitrary<infer M> ? M : never)[],
  ): Uint8Array {
    let text = header;
    let length: bigint | undefined;
    const changes: ((file: Uint8Array) => Uint8Array)[] = [];
    for (const { kind, at, value } of mutations) {
      if (kind === "number") text = replaceMatch(text, /\d+/g, at, JSON.stringify(value));
      else if (kind === "text") text = replaceMatch(text, /"[^"]*"/g, at, JSON.stringify(value));
      else if (kind === "json") text = replaceMatch(text, /\[[^[\]]*\]|\{[^{}]*\}/g, at, value);
      else if (kind === "length") length = value;
      else if (kind === "byte") changes.push((file) => file.with(at % file.length, value));
      else if (kind === "cut") changes.push((file) => file.slice(0, Math.max(0, file.length - value)));
      else changes.push((file) => new Uint8Array([...file, ...new Uint8Array(value)]));
    }
    return changes.reduce<Uint8Array>((file, change) => (file.length === 0 ? file : change(file)), fileOf(text, data, length));
  }

  test("10,000 mutated files are refused with one sentence or read as what they are", async () => {
    const header = JSON.stringify({
      __metadata__: { format: "pt" },
      w: entry(0, 24, [2, 3]),
      b: entry(24, 32, [4], "F16"),
      s: entry(32, 36, []),
      t: entry(36, 44, [2, 2], "BF16"),
    });
    const data = new Uint8Array(44);
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 3 }), async (mutations) => {
        const file = mutated(header, data, mutations);
        try {
          const found = await read(file);
          expect(isConsistent(file, found)).toBe(true);
        } catch (error) {
          if (!(error instanceof InputError)) throw error;
          expect(error.message).toMatch(/^f\.safetensors: .+\.$/s);
          refused++;
        }
      }),
      { numRuns: 10_000, seed: 20_260 },
    );
    expect(refused).toBeGreaterThan(8000); // the mutations do what they are for
    expect(refused).toBeLessThan(10_000);
  });
});

test("the writer refuses a name given twice and a shape that does not hold its data", () => {
  const one = { name: "a", shape: [2], data: new Float32Array(2) };
  expect(() => writeSafetensors([one, one])).toThrow("a is given twice.");
  expect(() => writeSafetensors([{ ...one, shape: [3] }])).toThrow("a: shape [3] does not hold 2 values.");
});
