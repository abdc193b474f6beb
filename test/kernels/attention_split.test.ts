import { expect } from "vitest";
import { attentionJoin } from "../../src/kernels/attention_join.ts";
import { attentionChunks, attentionSplit } from "../../src/kernels/attention_split.ts";
import { type Bench, expectClose, gpuTest, randomIntegers, randomNormal } from "../gpu.ts";
import { attentionSplit as reference } from "../reference/attention_split.ts";
import type { HeadShape } from "../reference/rope.ts";

const P = 400;

/** Tokens by their spans, in a cache of S slots. */
function randomCase(shape: HeadShape, spans: readonly (readonly [number, number, number, number])[], S: number, normed = false) {
  const { heads, kvHeads, headSize: D } = shape;
  const T = spans.length;
  return {
    shape,
    T,
    S,
    spans: Uint32Array.from(spans.flat()),
    qkv: randomNormal("qkv", T * (heads + 2 * kvHeads) * D),
    norms: normed ? randomNormal("norms", 2 * D, 0.4) : null, // scores of a few units, as in models
    positions: randomIntegers("positions", T, P),
    rotary: randomNormal("rotary", P * D),
    k: randomNormal("k", S * kvHeads * D),
    v: randomNormal("v", S * kvHeads * D),
  };
}

async function run({ gpu, input, output }: Bench, given: ReturnType<typeof randomCase>, chunks: number) {
  const { shape, T, S } = given;
  const { heads, kvHeads, headSize: D } = shape;
  const inputs = {
    qkv: input("qkv", [T, (heads + 2 * kvHeads) * D], given.qkv),
    norms: given.norms && input("norms", [2, D], given.norms),
    positions: input("positions", [T], given.positions),
    spans: input("spans", [T, 4], given.spans),
    rotary: input("rotary", [P, D], given.rotary),
  };
  const o = output("o", [T, heads * D]);
  const parts = chunks === 1 ? o : output("parts", [T, chunks, heads, D + 2]);
  const cache = { k: output("k", [S, kvHeads * D], "f32", given.k), v: output("v", [S, kvHeads * D], "f32", given.v) };
  attentionSplit(gpu, inputs, { ...cache, parts }, shape, { chunks });
  if (chunks > 1) attentionJoin(gpu, { parts, spans: inputs.spans }, { o });
  return { o: await gpu.read(o), k: await gpu.read(cache.k), v: await gpu.read(cache.v) };
}

for (const normed of [false, true]) {
  gpuTest(`attention_split and attention_join over 1 to 300 keys of a prompt and its own, normed: ${normed}`, async (bench) => {
    const shape = { heads: 6, kvHeads: 2, headSize: 20, normEps: 1e-6 };
    const spans = [
      [0, 0, 310, 311],
      [5, 132, 312, 313],
      [3, 290, 314, 327],
      [0, 0, 330, 459],
    ] as const; // no token reads another one's new slot
    const given = randomCase(shape, spans, 460, normed);
    const got = await run(bench, given, attentionChunks(300));
    const want = reference(given, given.spans, given, shape);
    expectClose("o", got.o, want.o);
    expectClose("k", got.k, want.k);
    expectClose("v", got.v, want.v);
  });
}

gpuTest("attention_split of one chunk writes o itself, at a true shape", async (bench) => {
  const shape = { heads: 14, kvHeads: 2, headSize: 64, normEps: 1e-6 };
  const given = randomCase(shape, [[2, 60, 100, 103]], 110);
  const { o } = await run(bench, given, 1);
  expectClose("o", o, reference(given, given.spans, given, shape).o);
});

gpuTest("a token's attention does not depend on the batch, nor on the chunks of others", async (bench) => {
  const shape = { heads: 6, kvHeads: 2, headSize: 20, normEps: 1e-6 };
  const both = randomCase(
    shape,
    [
      [0, 100, 300, 304],
      [0, 260, 310, 315],
    ],
    320,
  );
  const { o } = await run(bench, both, 3);
  const width = shape.heads * shape.headSize;
  for (const [t, chunks] of [
    [0, 1],
    [0, 2],
    [1, 3],
    [1, 5],
  ] as const) {
    const alone = {
      ...both,
      T: 1,
      spans: both.spans.slice(4 * t, 4 * t + 4),
      positions: both.positions.slice(t, t + 1),
      qkv: both.qkv.slice((t * both.qkv.length) / 2, ((t + 1) * both.qkv.length) / 2),
    };
    expect((await run(bench, alone, chunks)).o, `token ${t} in ${chunks} chunks`).toEqual(o.slice(t * width, (t + 1) * width));
  }
});
