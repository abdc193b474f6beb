// jax-js on the same adapter: the peer of `bench gemm --peer jax-js`. It looks for WebGPU where a browser has it.

import type { GemmPeer, GemmShape } from "../bench/gemm.ts";
import { medianSeconds } from "../bench/timing.ts";
import { showDawnAsBrowsersDo, waitRestfully } from "../gpu/device.ts";
import { InputError } from "../input_error.ts";

/** Opens jax-js on the adapter that Dawn has given the engine. */
export async function openJaxPeer(): Promise<GemmPeer> {
  showDawnAsBrowsersDo();
  const jax = await import("@jax-js/jax").catch(() => {
    throw new InputError("--peer jax-js needs the development dependencies: run npm install.");
  });
  const devices = await jax.init();
  const onGpu = devices.find((name) => /^webgpu$/.test(name));
  if (!onGpu) throw new InputError(`--peer jax-js found no WebGPU here, only ${devices.join(", ")}.`);
  jax.defaultDevice(onGpu);
  const { numpy: np, jit } = jax;
  // As both directions are written there: the weight is [N, K], x wᵀ forward and dy w backward.
  const forward = jit((x: InstanceType<typeof np.Array>, w: InstanceType<typeof np.Array>) => np.matmul(x, np.transpose(w)));
  const backward = jit((dy: InstanceType<typeof np.Array>, w: InstanceType<typeof np.Array>) => np.matmul(dy, w));
  return {
    name: "jax-js",
    async seconds({ rows, K, N }: GemmShape, direction) {
      const inner = direction === "forward" ? K : N;
      const x = np.array(randomValues(rows * inner)).reshape([rows, inner]);
      const w = np.array(randomValues(N * K)).reshape([N, K]);
      const product = direction === "forward" ? forward : backward;
      const seconds = await medianSeconds(async (repeats) => {
        const products = Array.from({ length: repeats }, () => product(x.ref, w.ref)); // what nobody waits for is never computed
        await waitRestfully(Promise.all(products.map((y) => y.blockUntilReady()))); // as the engine waits
        for (const y of products) y.dispose();
      });
      x.dispose();
      w.dispose();
      return seconds;
    },
  };
}

/** Values that no compiler can take for a constant. */
const randomValues = (count: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: count }, (_, i) => ((i * 7919) % 1009) / 1009 - 0.5);
