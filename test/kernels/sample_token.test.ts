import { expect } from "vitest";
import { sampleToken } from "../../src/kernels/sample_token.ts";
import { type Bench, gpuTest, randomIntegers, randomNormal } from "../gpu.ts";
import { sampleToken as reference, scores } from "../reference/sample_token.ts";

interface Row {
  logits: Float32Array;
  stream: number;
  count: number;
}

async function sample({ gpu, input, output }: Bench, rows: readonly Row[], temperature: number, seed = 7): Promise<number[]> {
  const B = rows.length;
  const V = rows[0]!.logits.length;
  const logits = input(
    "logits",
    [B, V],
    Float32Array.from({ length: B * V }, (_, i) => rows[Math.floor(i / V)]!.logits[i % V]!),
  );
  const streams = input(
    "streams",
    [B],
    Uint32Array.from(rows, (row) => row.stream),
  );
  const counts = input(
    "counts",
    [B],
    Uint32Array.from(rows, (row) => row.count),
  );
  const tokens = output("tokens", [B], "u32");
  sampleToken(gpu, { logits, streams, counts }, { tokens }, { temperature, seed });
  return [...(await gpu.readU32(tokens)).subarray(0, B)];
}

const randomRows = (B: number, V: number): Row[] =>
  Array.from({ length: B }, (_, b) => ({
    logits: randomNormal(`logits ${b}`, V, 3),
    stream: randomIntegers("streams", B, 2 ** 32)[b]!,
    count: 11 * b,
  }));

for (const [B, V] of [
  [1, 1],
  [5, 7],
  [9, 640],
  [2, 15193],
] as const) {
  gpuTest(`sample_token [${B}, ${V}] takes the highest score`, async (bench) => {
    const rows = randomRows(B, V);
    for (const temperature of [0, 0.6, 1]) {
      const tokens = await sample(bench, rows, temperature);
      rows.forEach(({ logits, stream, count }, b) => {
        const all = scores(logits, 7, stream, count, temperature);
        const best = reference(logits, 7, stream, count, temperature);
        const short = all[best]! - all[tokens[b]!]!; // float32 may swap scores that are all but equal
        expect(short <= 1e-4, `row ${b} at ${temperature}: token ${tokens[b]} is ${short} short of token ${best}`).toBe(true);
      });
    }
  });
}

gpuTest("of equal logits the lowest index wins", async (bench) => {
  const logits = new Float32Array(700);
  logits[131] = 2;
  logits[66] = 2;
  logits[699] = 2;
  expect(await sample(bench, [{ logits, stream: 1, count: 0 }], 0)).toEqual([66]);
});

gpuTest("a draw depends on its stream and count alone, not on its batch", async (bench) => {
  const rows = randomRows(7, 331);
  const together = await sample(bench, rows, 1);
  expect(await sample(bench, [rows[4]!], 1)).toEqual([together[4]]);
  expect(await sample(bench, [...rows].reverse(), 1)).toEqual([...together].reverse());
});

gpuTest("another seed, stream or count draws anew", async (bench) => {
  const row = { logits: new Float32Array(640), stream: 3, count: 5 };
  const drawn = await sample(bench, [row, { ...row, stream: 4 }, { ...row, count: 6 }], 1);
  const again = await sample(bench, [row], 1, 8);
  expect(new Set([...drawn, ...again]).size).toBe(4);
});

gpuTest("draws follow the softmax", async (bench) => {
  const B = 4000;
  const logits = Float32Array.of(0, 1, 2, -1, 0.5);
  for (const temperature of [0.5, 1]) {
    const rows = Array.from({ length: B }, (_, count) => ({ logits, stream: 9, count }));
    const tokens = await sample(bench, rows, temperature);
    const weights = Array.from(logits, (v) => Math.exp(v / temperature));
    const total = weights.reduce((sum, w) => sum + w, 0);
    weights.forEach((weight, v) => {
      const p = weight / total;
      const share = tokens.filter((token) => token === v).length / B;
      expect(Math.abs(share - p), `share of token ${v} at ${temperature}`).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / B));
    });
  }
});
