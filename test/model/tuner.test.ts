// The tuner: whichever tile it takes is one whose bits it has compared, and what it took once is not measured again.
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import { allTiles, classOf, TILES } from "../../src/gpu/tiles.ts";
import { measureTiles, openTuned, readTiles, trustedTiles, tunedTiles, tuningKey } from "../../src/model/tuner.ts";

let gpu: Gpu;
beforeAll(async () => {
  gpu = new Gpu((await openDevice()).device);
});
afterAll(() => gpu?.destroy());

test("a tile of each kind gives the bits of the plain kernel", async () => {
  const buffers = gpu.counters.buffers;
  const kinds = ["4x4", "8x8", "16x4 quads", "64x64"] as const; // all of them are compared in the kernels' tests
  const some = kinds.filter((tile) => gpu.subgroups || !tile.includes("quads"));
  expect(await trustedTiles(gpu, "linear", some)).toEqual(some);
  expect(await trustedTiles(gpu, "linear_backward", some)).toEqual(some);
  expect(gpu.counters.buffers).toBe(buffers);
});

test("a tile that gives other bits is not trusted", async () => {
  const real = gpu.read.bind(gpu);
  let reads = 0;
  gpu.read = async (tensor) => {
    const values = await real(tensor);
    reads += 1;
    if (reads === 3) values[5]! += 1e-6; // the plain kernel, the first candidate, then this one
    return values;
  };
  try {
    expect(await trustedTiles(gpu, "linear", ["4x4", "8x4", "4x8"])).toEqual(["4x4", "4x8"]);
  } finally {
    gpu.read = real;
  }
});

test("each class gets a tile", async () => {
  const choices = await measureTiles(gpu, { C: 96, F: 160, rowCounts: [8, 64] });
  expect(Object.keys(choices)).toEqual(["linear 1-8 rows", "linear 9-64 rows", "linear_backward 1-8 rows", "linear_backward 9-64 rows"]);
  for (const tile of Object.values(choices)) expect(TILES).toContain(tile);
});

test("stored choices are taken as they are; what is no choice is measured anew and stored", async () => {
  const { adapter } = await openDevice();
  const key = tuningKey(adapter, "test");
  expect(key).toMatch(/\|test\|[0-9a-f]{16}$/);
  const store = new Map([[key, '{"linear 65+ rows":"8x4"}']]);
  const files = { read: async (k: string) => store.get(k) ?? null, write: async (k: string, text: string) => void store.set(k, text) };
  const before = gpu.counters.dispatches;
  expect(await tunedTiles(gpu, key, files)).toEqual({ "linear 65+ rows": "8x4" });
  expect(gpu.counters.dispatches).toBe(before);
  const few = { C: 96, F: 160, rowCounts: [64] };
  for (const text of ['{"linear 65+ rows":"9x9"}', "no JSON", "null"]) {
    store.set(key, text);
    const measured = await tunedTiles(gpu, key, files, few);
    expect(Object.keys(measured)).toHaveLength(2);
    expect(readTiles(store.get(key)!)).toEqual(measured);
  }
});

/** Opens devices that pass for graphics cards; the first is given to `spoil`. */
function spoilt(spoil: (gpu: Gpu) => void) {
  const opened: Gpu[] = [];
  const open = async () => {
    const { device, adapter } = await openDevice();
    const one = new Gpu(device);
    Object.defineProperty(one, "software", { value: false });
    if (opened.length === 0) spoil(one);
    opened.push(one);
    return { gpu: one, adapter };
  };
  return { opened, open };
}

for (const [what, spoil, reason] of [
  ["a device that is lost", (one: Gpu) => one.device.destroy(), "the GPU device was lost"],
  [
    "a candidate that does not compile",
    (one: Gpu) => {
      const run = one.run.bind(one);
      one.run = (name, inputs, outputs, dispatch) =>
        run(name, inputs, outputs, name === "linear_tiled" ? { ...dispatch, constants: { NONE: 1 } } : dispatch);
    },
    "the kernel linear_tiled cannot be made",
  ],
] as const) {
  test(`${what} while kernels are tried: another device with the defaults, nothing stored, one sentence`, async () => {
    const { opened, open } = spoilt(spoil);
    const stored: string[] = [];
    const said: string[] = [];
    const store = { read: async () => null, write: async (key: string) => void stored.push(key) };
    const tuned = await openTuned(
      open,
      (first) => tunedTiles(first.gpu, tuningKey(first.adapter, "test"), store, { C: 96, F: 160, rowCounts: [64] }),
      (message) => said.push(message),
    );
    expect([opened.length, tuned.gpu === opened[1], stored]).toEqual([2, true, []]);
    expect(tuned.gpu.tiles).toEqual(new Gpu(tuned.gpu.device).tiles);
    expect(said).toEqual([expect.stringContaining("The GPU failed while kernels were tried on it, so it takes the usual ones: ")]);
    expect(said[0]).toContain(reason);
    expect([...(await tuned.gpu.read(tuned.gpu.upload("x", [1], Float32Array.of(7))))]).toEqual([7]);
    tuned.gpu.destroy();
  });
}

test("the GPU takes the choices and tells what it took", () => {
  const shape = { product: "linear", rows: 100, columns: 200, inner: 300 } as const;
  const other = new Gpu(gpu.device);
  other.tiles = { [classOf(shape)!]: "8x4" };
  expect(other.tileOf(shape)).toBe("8x4");
  expect(other.tileOf({ ...shape, columns: 16 })).toBe(gpu.software && gpu.subgroups ? "16x4 quads" : "4x4");
  expect(other.tiles).toEqual({ ...gpu.tiles, "linear 65+ rows": "8x4" });
});

test("a tile that needs subgroups is not taken where there are none", () => {
  const choices = { "linear 65+ rows": "16x4 quads", "linear 9-64 rows": "8x4" } as const;
  const without = allTiles(choices, { software: true, subgroups: false });
  expect([without["linear 65+ rows"], without["linear 9-64 rows"]]).toEqual(["8x8", "8x4"]);
  expect(allTiles(choices, { software: true, subgroups: true })["linear 65+ rows"]).toBe("16x4 quads");
});
