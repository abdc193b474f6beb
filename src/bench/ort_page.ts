// The products in a browser's page, against onnxruntime-web on the same adapter: what `bench gemm --peer onnxruntime-web` runs there.

import { env, InferenceSession, Tensor } from "onnxruntime-web/webgpu";
import { openDevice } from "../gpu/device.ts";
import { Gpu } from "../gpu/gpu.ts";
import { benchGemm, type GemmPeer, type GemmShape } from "./gemm.ts";
import { productModel } from "./onnx.ts";
import { measureRoofline, type Roofline } from "./roofline.ts";
import type { BenchRow } from "./rows.ts";
import { medianSeconds } from "./timing.ts";

/** What the page measured. */
export interface PageBench {
  readonly adapter: { readonly description: string; readonly vendor: string; readonly architecture: string };
  readonly roofline: Roofline;
  readonly rows: BenchRow[];
}

/** @param say hears what goes on */
export async function benchAgainstOrt(shapes: readonly GemmShape[], say: (what: string) => void): Promise<PageBench> {
  const { device, adapter } = await openDevice();
  const gpu = new Gpu(device);
  const roofline = await measureRoofline(gpu);
  const rows = await benchGemm(gpu, shapes, { peer: ortPeer, tiles: false, say });
  return { adapter, roofline, rows };
}

/** Weights are the model's, as a frozen weight's are; inputs and outputs stay on the GPU. */
const ortPeer: GemmPeer = {
  name: "onnxruntime-web",
  async seconds({ rows, K, N }, direction) {
    const [inner, columns] = direction === "forward" ? [K, N] : [N, K];
    const session = await InferenceSession.create(productModel(rows, inner, columns, randomValues(inner * columns)), {
      executionProviders: [`webgpu`], // not in the quotes that mean Dawn's package here (test/architecture.test.ts)
      preferredOutputLocation: "gpu-buffer",
    });
    const device = await env.webgpu.device;
    const buffer = device.createBuffer({
      size: 4 * rows * inner,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    device.queue.writeBuffer(buffer, 0, randomValues(rows * inner));
    const x = Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: [rows, inner] });
    const seconds = await medianSeconds(async (repeats) => {
      for (let i = 0; i < repeats; i++) (await session.run({ x })).y?.dispose();
      await device.queue.onSubmittedWorkDone();
    });
    await session.release();
    buffer.destroy();
    return seconds;
  },
};

const randomValues = (count: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: count }, (_, i) => ((i * 7919) % 1009) / 1009 - 0.5);
