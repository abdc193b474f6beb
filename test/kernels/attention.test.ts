import { expect, test } from "vitest";
import { attention } from "../../src/kernels/attention.ts";
import { type Bench, expectClose, gpuTest, randomNormal } from "../gpu.ts";
import { type AttentionShape, packedSpans, attention as reference } from "../reference/attention.ts";

interface Case {
  readonly shape: AttentionShape;
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
  readonly spans: Uint32Array;
}

function randomCase(shape: AttentionShape, spans: Uint32Array, S: number, scale = 1): Case {
  const T = spans.length / 4;
  return {
    shape,
    q: randomNormal("q", T * shape.H * shape.D, scale),
    k: randomNormal("k", S * shape.KV * shape.D, scale),
    v: randomNormal("v", S * shape.KV * shape.D),
    spans,
  };
}

async function run({ gpu, input, output }: Bench, { shape, q, k, v, spans }: Case) {
  const { H, KV, D } = shape;
  const T = spans.length / 4;
  const S = k.length / (KV * D);
  const inputs = {
    q: input("q", [T, H * D], q),
    k: input("k", [S, KV * D], k),
    v: input("v", [S, KV * D], v),
    spans: input("spans", [T, 4], spans),
  };
  const outputs = { o: output("o", [T, H * D]), lse: output("lse", [T, H]) };
  attention(gpu, inputs, outputs, D);
  return { o: await gpu.read(outputs.o), lse: await gpu.read(outputs.lse) };
}

for (const [H, KV, D, prompt, completions] of [
  [1, 1, 4, 1, []],
  [3, 1, 20, 5, [3, 1, 4]],
  [2, 2, 36, 9, [6]],
  [4, 2, 32, 33, [9, 17]],
  [14, 2, 64, 40, [12, 30]],
] as const) {
  gpuTest(`attention, ${H} heads on ${KV} of size ${D}, a prompt of ${prompt} with completions of [${completions}]`, async (bench) => {
    const { spans } = packedSpans(prompt, completions);
    const given = randomCase({ H, KV, D }, spans, spans.length / 4);
    const got = await run(bench, given);
    const want = reference(given.q, given.k, given.v, spans, given.shape);
    expectClose("o", got.o, want.o);
    expectClose("lse", got.lse, want.lse);
  });
}

gpuTest("attention over 4,096 keys, and over large scores", async (bench) => {
  const shape = { H: 2, KV: 1, D: 32 };
  for (const scale of [1, 8]) {
    const given = randomCase(shape, Uint32Array.of(0, 0, 0, 4096, 5, 100, 200, 4001), 4096, scale);
    const got = await run(bench, given);
    const want = reference(given.q, given.k, given.v, given.spans, shape);
    expectClose("o", got.o, want.o);
    expectClose("lse", got.lse, want.lse);
  }
});

gpuTest("a token's attention does not depend on the tokens beside it, nor on where its keys lie", async (bench) => {
  const shape = { H: 4, KV: 2, D: 32 };
  const { spans } = packedSpans(37, [11]);
  const pack = randomCase(shape, spans, 48);
  const { o } = await run(bench, pack);
  const width = shape.H * shape.D;
  const keyWidth = shape.KV * shape.D;

  // The last token alone, its prompt's keys and its own in other slots of a larger cache.
  const k = new Float32Array(100 * keyWidth);
  const v = new Float32Array(100 * keyWidth);
  for (const [from, to, target] of [
    [0, 37, 60],
    [37, 48, 3],
  ] as const) {
    k.set(pack.k.subarray(from * keyWidth, to * keyWidth), target * keyWidth);
    v.set(pack.v.subarray(from * keyWidth, to * keyWidth), target * keyWidth);
  }
  const alone = await run(bench, { shape, q: pack.q.slice(-width), k, v, spans: Uint32Array.of(60, 97, 3, 14) });
  expect(alone.o).toEqual(o.slice(-width));
});

test("the reference is the textbook softmax", () => {
  const shape = { H: 1, KV: 1, D: 2 };
  const { o, lse } = reference([Math.SQRT2, 0], [0, 5, Math.log(3), -5], [1, 10, 5, 20], [0, 1, 1, 2], shape);
  expect([...o]).toEqual([expect.closeTo(4, 10), expect.closeTo(17.5, 10)]); // weights 1/4 and 3/4
  expect(lse[0]).toBeCloseTo(Math.log(4), 10);
});
