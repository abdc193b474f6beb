// A line of a benchmark's table.

export interface BenchRow {
  readonly name: string;
  readonly shape: string;
  /** Counted from the shapes; 0 where the work is no arithmetic. */
  readonly gflop: number;
  readonly seconds: number;
  readonly gflops: number;
  /** Of the run's fastest product. */
  share_of_gemm: number | null;
  readonly peer: string | null;
  readonly peer_gflops: number | null;
  /** gflops / peer_gflops. */
  readonly ratio: number | null;
  /** More of this benchmark's own: tokens_per_second, dispatches, tile ... */
  readonly details: Readonly<Record<string, number | string>>;
}

export function benchRow(
  name: string,
  shape: string,
  { flops, seconds, peer = null, details = {} }: { flops: number; seconds: number; peer?: Peer | null; details?: BenchRow["details"] },
): BenchRow {
  const gflops = flops / seconds / 1e9;
  const peerGflops = peer && flops / peer.seconds / 1e9;
  return {
    name,
    shape,
    gflop: flops / 1e9,
    seconds,
    gflops,
    share_of_gemm: null,
    peer: peer?.name ?? null,
    peer_gflops: peerGflops,
    ratio: peerGflops && gflops / peerGflops,
    details,
  };
}

/** The same work by another program. */
export interface Peer {
  readonly name: string;
  readonly seconds: number;
}
