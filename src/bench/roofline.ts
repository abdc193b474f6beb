// What the adapter can do at best, measured: the figures beside which all others stand.

import type { Gpu } from "../gpu/gpu.ts";
import { add } from "../kernels/add.ts";
import { multiplyAdd } from "../kernels/multiply_add.ts";
import { secondsOf } from "./timing.ts";

export interface Roofline {
  /** Multiply-adds from registers alone, two operations each. */
  readonly register_gflops: number;
  /** The fastest product of the run; 0 until one was measured. */
  gemm_gflops: number;
  /** Bytes read and written by a copy from buffer to buffer. */
  readonly copy_gbps: number;
  /** Of one dispatch among many that do nothing. */
  readonly dispatch_us: number;
}

export async function measureRoofline(gpu: Gpu): Promise<Roofline> {
  return {
    register_gflops: await registerRate(gpu),
    gemm_gflops: 0,
    copy_gbps: await copyRate(gpu),
    dispatch_us: await dispatchCost(gpu),
  };
}

async function registerRate(gpu: Gpu): Promise<number> {
  const n = gpu.software ? 1024 : 1 << 18;
  const x = gpu.alloc("x", [n, 4]);
  const y = gpu.alloc("y", [n, 4]);
  const chain = { rounds: 1024, factor: 0.5, term: 1 };
  const seconds = await secondsOf(gpu, y, () => multiplyAdd(gpu, { x }, { y }, chain));
  gpu.free(x);
  gpu.free(y);
  return (64 * chain.rounds * n) / seconds / 1e9;
}

async function copyRate(gpu: Gpu): Promise<number> {
  const bytes = gpu.software ? 1 << 24 : 1 << 27;
  const source = gpu.alloc("source", [bytes / 4]);
  const target = gpu.alloc("target", [bytes / 4]);
  const seconds = await secondsOf(gpu, target, () => gpu.copy(source, target));
  gpu.free(source);
  gpu.free(target);
  return (2 * bytes) / seconds / 1e9;
}

async function dispatchCost(gpu: Gpu): Promise<number> {
  const dispatches = 400;
  const [a, b, y] = [gpu.alloc("a", [1, 1]), gpu.alloc("b", [1, 1]), gpu.alloc("y", [1, 1])] as const;
  const seconds = await secondsOf(gpu, y, () => {
    for (let i = 0; i < dispatches; i++) add(gpu, { a, b }, { y });
  });
  for (const tensor of [a, b, y]) gpu.free(tensor);
  return (1e6 * seconds) / dispatches;
}
