import { expect } from "vitest";
import { advanceRows } from "../../src/kernels/advance_rows.ts";
import { gpuTest, randomIntegers } from "../gpu.ts";
import { advanceRow, type DecodingRow } from "../reference/advance_rows.ts";

const L = 4;

for (const B of [1, 3, 65]) {
  gpuTest(`advance_rows, five steps of ${B} rows`, async ({ gpu, input, output }) => {
    const limits = randomIntegers("limits", B, L + 1);
    let rows: DecodingRow[] = Array.from({ length: B }, (_, b) => ({
      id: b,
      position: 10 + b,
      slot: 100 * b,
      span: [0, b, 100 * b, 100 * b + 1],
      history: [],
    }));
    const u32 = (name: string, of: (row: DecodingRow) => number) => output(name, [B], "u32", Uint32Array.from(rows, of));
    const state = {
      ids: u32("ids", (row) => row.id),
      positions: u32("positions", (row) => row.position),
      slots: u32("slots", (row) => row.slot),
      spans: output("spans", [B, 4], "u32", Uint32Array.from(rows.flatMap((row) => row.span))),
      counts: u32("counts", () => 0),
      history: output("history", [B, L], "u32", new Uint32Array(B * L)),
    };
    for (let step = 0; step < 5; step++) {
      const tokens = randomIntegers(`tokens ${step}`, B, 640);
      advanceRows(gpu, { tokens: input("tokens", [B], tokens), limits: input("limits", [B], limits) }, state);
      rows = rows.map((row, b) => advanceRow(row, tokens[b]!, limits[b]!));
    }
    const padded = (row: DecodingRow) => Array.from({ length: L }, (_, i) => row.history[i] ?? 0);
    const read = async (name: keyof typeof state, words: number) => [...(await gpu.readU32(state[name])).subarray(0, words)];
    expect(await read("ids", B)).toEqual(rows.map((row) => row.id));
    expect(await read("positions", B)).toEqual(rows.map((row) => row.position));
    expect(await read("slots", B)).toEqual(rows.map((row) => row.slot));
    expect(await read("spans", 4 * B)).toEqual(rows.flatMap((row) => row.span));
    expect(await read("counts", B)).toEqual(rows.map((row) => row.history.length));
    expect(await read("history", L * B)).toEqual(rows.flatMap(padded));
  });
}
