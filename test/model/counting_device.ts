// A device that computes nothing: passes of any size can be recorded on it to count their dispatches, operations and bytes.

/** A buffer that keeps one word at most: the last one copied into it alone, which is how a readback is told from silence. */
class EmptyBuffer {
  word: { at: number; value: number } | null = null;
  readonly size: number;

  constructor(size: number) {
    this.size = size;
  }

  destroy(): void {}

  unmap(): void {}

  async mapAsync(): Promise<void> {}

  getMappedRange(): ArrayBuffer {
    const bytes = new ArrayBuffer(this.size);
    if (this.word) new DataView(bytes).setUint32(this.word.at, this.word.value, true);
    return bytes;
  }
}

const pass = { setPipeline() {}, setBindGroup() {}, dispatchWorkgroups() {}, end() {} };

const encoder = {
  beginComputePass: () => pass,
  clearBuffer() {},
  finish: () => ({}),
  copyBufferToBuffer(source: EmptyBuffer, _from: number, target: EmptyBuffer, at: number, bytes: number) {
    if (bytes === 4 && source.word) target.word = { at, value: source.word.value };
  },
};

/** Stands in for a GPUDevice; reads give zeros. */
export function countingDevice(): GPUDevice {
  Object.assign(globalThis, {
    GPUBufferUsage: { MAP_READ: 1, COPY_SRC: 4, COPY_DST: 8, UNIFORM: 64, STORAGE: 128 },
    GPUShaderStage: { COMPUTE: 4 },
    GPUMapMode: { READ: 1 },
  });
  const queue = {
    submit() {},
    async onSubmittedWorkDone() {},
    writeBuffer(buffer: EmptyBuffer, at: number, data: unknown) {
      if (buffer.size === 4 && data instanceof Uint32Array) buffer.word = { at, value: data[0]! };
    },
  };
  const device = {
    adapterInfo: { vendor: "", architecture: "counting", description: "" },
    features: new Set(),
    lost: new Promise(() => {}),
    queue,
    addEventListener() {},
    createBuffer: ({ size }: { size: number }) => new EmptyBuffer(size),
    createShaderModule: () => ({}),
    createBindGroupLayout: () => ({}),
    createPipelineLayout: () => ({}),
    createComputePipeline: () => ({}),
    createComputePipelineAsync: async () => ({}),
    createBindGroup: () => ({}),
    createCommandEncoder: () => encoder,
    pushErrorScope() {},
    popErrorScope: async () => null,
    destroy() {},
  };
  return device as unknown as GPUDevice;
}
