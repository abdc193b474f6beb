import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

interface Inputs {
  logits: Tensor;
  streams: Tensor;
  counts: Tensor;
}

/**
 * tokens [B]: a draw from softmax(logits / temperature) of each row of logits [B, V], keyed by (seed, streams[b], counts[b]);
 * at temperature 0 the most likely token.
 */
export function sampleToken(
  gpu: Gpu,
  { logits, streams, counts }: Inputs,
  { tokens }: { tokens: Tensor },
  { temperature, seed }: { temperature: number; seed: number },
): void {
  const [B = 0, V = 0] = logits.shape;
  const LANES = V > 4096 ? 256 : 16; // few where a row is short: software adapters pay for each lane, not for its work
  for (const t of [streams, counts, tokens]) expectShape(t, [B]);
  gpu.run(
    "sample_token",
    { logits, streams, counts },
    { tokens },
    { constants: { V, LANES }, params: { temperature, seed: seed >>> 0 }, workgroups: [B] },
  );
}
