// The WebGPU layer: memory, pipelines, dispatches, readback. Knows nothing of models.
import { messageOf } from "../input_error.ts";
import { waitRestfully } from "./device.ts";
import { shaders } from "./shaders.ts";
import { readSignature, type Signature } from "./signature.ts";
import { bytesOf, type Dtype, numel, type Tensor } from "./tensor.ts";
import { allTiles, classOf, type ProductShape, type Tile, type TileChoices, thinTile } from "./tiles.ts";

export interface Dispatch {
  /** Values of the shader's `override`s: what is fixed when a model is loaded. */
  readonly constants?: Readonly<Record<string, number>>;
  /** `const NAME = VALUEu;` lines put before the shader, for what sizes registers (overrides cannot). */
  readonly sizes?: Readonly<Record<string, number>>;
  /** Values of the shader's `struct Params`: what changes from call to call. */
  readonly params?: Readonly<Record<string, number>>;
  readonly workgroups: readonly [x: number, y?: number, z?: number];
  /** Multiplications and additions of its products, by their shapes: what `counters.flops` adds up. */
  readonly flops?: number;
}

export interface Counters {
  buffers: number;
  bytes: number;
  peakBytes: number;
  dispatches: number;
  submits: number;
  flops: number;
  /** Buffers, bind groups and pipelines that were ever created, the GPU layer's own included: constant in the steady state. */
  created: number;
}

const PARAMS_ALIGNMENT = 256; // minUniformBufferOffsetAlignment's default
const PARAMS_BYTES = 256 * 1024;
const MAX_DISPATCHES_PER_SUBMIT = 512;
/** One submit keeps the GPU from the desktop no longer than this, by the rate of the work so far. */
const SUBMIT_SECONDS = 0.1;
/** Operations of a submit until a rate is known. */
const FIRST_SUBMIT_FLOPS = { software: 2e8, hardware: 5e9 };

/** What a readback of a GPU in order ends with: a lost one hands out zeros as if all were well. */
const CANARY = 0x45525241;

/** The GPU failed: it was lost, or refused something. On another device the same work may succeed. */
export class GpuFailure extends Error {}

/** NaN or infinity where there should be numbers, of the GPU's making or the model's. */
export class NotFinite extends GpuFailure {}

/** What would run: the kernels that are not there yet, and its operations. */
interface Looking {
  readonly missing: Map<string, { name: string; dispatch: Dispatch }>;
  flops: number;
}

interface Kernel {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  readonly signature: Signature;
}

export class Gpu {
  readonly device: GPUDevice;
  readonly counters: Counters = { buffers: 0, bytes: 0, peakBytes: 0, dispatches: 0, submits: 0, flops: 0, created: 0 };
  #tiles: TileChoices;
  #kernels = new Map<string, Kernel>();
  #bindGroups = new Map<string, { group: GPUBindGroup; buffers: readonly number[] }>();
  #bufferIds = new WeakMap<GPUBuffer, number>();
  #groupsOfBuffer = new Map<number, Set<string>>();
  #nextBufferId = 0;
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;
  #dispatches = 0;
  #params: GPUBuffer;
  #paramsData = new DataView(new ArrayBuffer(PARAMS_BYTES));
  #paramsUsed = 0;
  #submitFlops: number;
  #recordedFlops = 0;
  #submitted = { flops: 0, since: 0 }; // since the last readback
  #stagings: GPUBuffer[] = [];
  #failure: string | null = null;
  /** What the error scopes of allocations and pipelines caught, in words; asked for at the next readback. */
  #scoped: Promise<string | null>[] = [];
  #canary: GPUBuffer;

  /** Whether the adapter computes on the processor. */
  readonly software: boolean;
  /** Whether kernels may use subgroups. */
  readonly subgroups: boolean;
  /** Whether a branch that no lane takes costs nothing: SwiftShader computes it and throws it away. */
  readonly skipsBranches: boolean;

  constructor(device: GPUDevice) {
    this.device = device;
    const info: GPUAdapterInfo | undefined = device.adapterInfo; // younger than WebGPU itself
    const names = `${info?.architecture} ${info?.description}`;
    this.software = /swiftshader|llvmpipe|lavapipe|basic render/i.test(names);
    this.skipsBranches = !/swiftshader/i.test(names);
    this.subgroups = device.features.has("subgroups");
    this.#tiles = allTiles({}, this);
    this.#submitFlops = this.software ? FIRST_SUBMIT_FLOPS.software : FIRST_SUBMIT_FLOPS.hardware;
    this.#params = device.createBuffer({ label: "params", size: PARAMS_BYTES, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    this.#canary = device.createBuffer({ label: "canary", size: 4, usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
    device.queue.writeBuffer(this.#canary, 0, Uint32Array.of(CANARY));
    device.addEventListener("uncapturederror", (event) => {
      this.#failure ??= event.error.message;
    });
    device.lost.then((info) => {
      this.#failure ??= `the GPU device was lost (${info.reason}): ${info.message}`;
    });
  }

  /** The tile of every class of products: what a run records. */
  get tiles(): TileChoices {
    return this.#tiles;
  }

  /** Takes tiles that were measured on this adapter or recorded by a run; the defaults for the rest. */
  set tiles(choices: TileChoices) {
    this.#tiles = allTiles(choices, this);
  }

  /** The tile for a product of this shape. */
  tileOf(shape: ProductShape): Tile {
    const name = classOf(shape);
    return name === null ? thinTile(this, shape) : this.#tiles[name]!;
  }

  /** Is told of every dispatch once it is recorded: for looking at what a pass computes. */
  watcher: ((kernel: string, inputs: readonly Tensor[], outputs: readonly Tensor[]) => void) | null = null;

  /** A tensor with a buffer of its own, filled with zeros. Freed by `free`. */
  alloc(name: string, shape: readonly number[], dtype: Dtype = "f32"): Tensor {
    const bytes = bytesOf(shape, dtype);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const create = () => this.device.createBuffer({ label: name, size: Math.max(bytes, 4), usage });
    const room = `no room on the GPU for ${name} (${Math.ceil(bytes / 2 ** 20)} MiB)`;
    const buffer = this.#scope("out-of-memory", room, () => this.#scope("validation", room, create));
    this.#bufferIds.set(buffer, this.#nextBufferId++);
    this.counters.buffers += 1;
    this.counters.created += 1;
    this.counters.bytes += buffer.size;
    this.counters.peakBytes = Math.max(this.counters.peakBytes, this.counters.bytes);
    return { name, shape, dtype, buffer, offset: 0, bytes: buffer.size };
  }

  /** A tensor holding `data`. */
  upload(name: string, shape: readonly number[], data: Float32Array | Uint32Array): Tensor {
    const tensor = this.alloc(name, shape, data instanceof Uint32Array ? "u32" : "f32");
    this.write(tensor, data);
    return tensor;
  }

  /** Writes `data` over the beginning of the tensor, after everything submitted or recorded so far. */
  write(tensor: Tensor, data: Float32Array | Uint32Array): void {
    if (data.byteLength > tensor.bytes) throw new Error(`${tensor.name} holds ${tensor.bytes} bytes, not ${data.byteLength}`);
    if (this.#looking) return;
    this.submit();
    this.device.queue.writeBuffer(tensor.buffer, tensor.offset, data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  }

  /** Frees the tensor's buffer, and with it every view of it. */
  free(tensor: Tensor): void {
    this.submit();
    const id = this.#bufferIds.get(tensor.buffer)!;
    this.#forgetGroups(id);
    this.counters.buffers -= 1;
    this.counters.bytes -= tensor.buffer.size;
    tensor.buffer.destroy();
  }

  /** With a buffer go its bind groups, and their names in the lists of the other buffers: weights outlive many a run's. */
  #forgetGroups(id: number): void {
    for (const key of this.#groupsOfBuffer.get(id) ?? []) {
      for (const buffer of this.#bindGroups.get(key)?.buffers ?? []) this.#groupsOfBuffer.get(buffer)?.delete(key);
      this.#bindGroups.delete(key);
    }
    this.#groupsOfBuffer.delete(id);
  }

  /**
   * Records one dispatch of shaders/NAME.wgsl. Inputs, then outputs, take bindings 0, 1, 2 ... and bear the shader's names;
   * `params` are its uniform's fields. It runs at the next submit or read.
   */
  run(name: string, inputs: Readonly<Record<string, Tensor>>, outputs: Readonly<Record<string, Tensor>>, dispatch: Dispatch): void {
    if (this.#looking) {
      const key = kernelKey(name, dispatch);
      if (!this.#kernels.has(key)) this.#looking.missing.set(key, { name, dispatch });
      this.#looking.flops += dispatch.flops ?? 0;
      return;
    }
    const kernel = this.#kernel(name, dispatch);
    checkBindings(name, kernel.signature, inputs, outputs);
    const { flops = 0 } = dispatch;
    const long = this.#recordedFlops > 0 && this.#recordedFlops + flops > this.#submitFlops;
    if (long || this.#paramsUsed + PARAMS_ALIGNMENT > PARAMS_BYTES || this.#dispatches === MAX_DISPATCHES_PER_SUBMIT) this.submit();
    this.#recordedFlops += flops;
    const offsets = kernel.signature.params.length > 0 ? [this.#writeParams(name, kernel.signature, dispatch.params ?? {})] : [];
    const group = this.#bindGroup(kernel, [...Object.values(inputs), ...Object.values(outputs)]);
    this.#encoder ??= this.device.createCommandEncoder();
    this.#pass ??= this.#encoder.beginComputePass();
    this.#pass.setPipeline(kernel.pipeline);
    this.#pass.setBindGroup(0, group, offsets);
    const [x, y = 1, z = 1] = dispatch.workgroups;
    this.#pass.dispatchWorkgroups(x, y, z);
    this.#dispatches += 1;
    this.counters.dispatches += 1;
    this.counters.flops += flops;
    this.watcher?.(name, Object.values(inputs), Object.values(outputs));
  }

  /** Copies `source` over the beginning of `target`, in the order of the recorded dispatches. */
  copy(source: Tensor, target: Tensor, bytes = source.bytes): void {
    this.watcher?.("copy", [source], [source]); // the target need not lie where it could be looked at
    this.#copy(source, target, bytes);
  }

  #copy(source: Tensor, target: Tensor, bytes: number): void {
    if (this.#looking) return;
    this.#endPass();
    this.#encoder ??= this.device.createCommandEncoder();
    this.#encoder.copyBufferToBuffer(source.buffer, source.offset, target.buffer, target.offset, bytes);
  }

  /** Fills the tensor with zeros, in the order of the recorded dispatches. */
  clear(tensor: Tensor): void {
    if (this.#looking) return;
    this.#endPass();
    this.#encoder ??= this.device.createCommandEncoder();
    this.#encoder.clearBuffer(tensor.buffer, tensor.offset, tensor.bytes);
  }

  /** Sends everything recorded to the GPU. */
  submit(): void {
    this.#endPass();
    if (!this.#encoder) return;
    if (this.#paramsUsed > 0) this.device.queue.writeBuffer(this.#params, 0, this.#paramsData.buffer, 0, this.#paramsUsed);
    this.device.queue.submit([this.#encoder.finish()]);
    if (this.#submitted.flops === 0) this.#submitted.since = performance.now();
    this.#submitted.flops += this.#recordedFlops;
    this.#recordedFlops = 0;
    this.#encoder = null;
    this.#dispatches = 0;
    this.#paramsUsed = 0;
    this.counters.submits += 1;
  }

  /** The tensor's values, after everything recorded so far. Throws what the GPU complained of since the last read. */
  async read(tensor: Tensor): Promise<Float32Array> {
    return new Float32Array(await this.#readBytes(tensor), 0, numel(tensor.shape));
  }

  async readU32(tensor: Tensor): Promise<Uint32Array> {
    return new Uint32Array(await this.#readBytes(tensor));
  }

  destroy(): void {
    this.device.destroy();
  }

  async #readBytes(tensor: Tensor): Promise<ArrayBuffer> {
    const staging = this.#takeStaging(tensor.bytes + 4);
    try {
      this.#copy(tensor, { ...tensor, buffer: staging, offset: 0 }, tensor.bytes);
      this.#encoder?.copyBufferToBuffer(this.#canary, 0, staging, tensor.bytes, 4);
      this.submit();
      await this.#wait(staging.mapAsync(GPUMapMode.READ, 0, tensor.bytes + 4));
      await this.#throwFailure();
      this.#measureRate();
      const bytes = staging.getMappedRange(0, tensor.bytes + 4).slice(0);
      staging.unmap();
      this.#stagings.push(staging);
      if (new DataView(bytes).getUint32(tensor.bytes, true) !== CANARY)
        throw new GpuFailure(`the readback of ${tensor.name} came to nothing`);
      return bytes.slice(0, tensor.bytes);
    } catch (error) {
      if (!this.#stagings.includes(staging)) staging.destroy();
      await this.#throwFailure();
      throw error instanceof GpuFailure ? error : new GpuFailure(`the readback of ${tensor.name} failed: ${messageOf(error)}`);
    }
  }

  /** An adapter that computes on the processor gets all of it meanwhile. */
  #wait<T>(pending: Promise<T>): Promise<T> {
    return this.software ? waitRestfully(pending) : pending;
  }

  /** A buffer to read back through: one that is free and large enough, or a new one. */
  #takeStaging(bytes: number): GPUBuffer {
    const at = this.#stagings.findIndex(({ size }) => size >= bytes);
    if (at >= 0) return this.#stagings.splice(at, 1)[0]!;
    this.#stagings.pop()?.destroy(); // too small for this and likely the next
    this.counters.created += 1;
    const size = Math.ceil(bytes / 4096) * 4096;
    return this.device.createBuffer({ label: "readback", size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  }

  /** Adapts the length of submits to the rate of the work since the last readback. */
  #measureRate(): void {
    const seconds = (performance.now() - this.#submitted.since) / 1000;
    if (this.#submitted.flops > 1e7) this.#submitFlops = Math.max(1e7, (SUBMIT_SECONDS * this.#submitted.flops) / seconds);
    this.#submitted = { flops: 0, since: 0 };
  }

  /** What of the allocations so far was refused, in words, or null. Whoever asks frees what it asked for, and the GPU goes on. */
  async refusals(): Promise<string | null> {
    return (await Promise.all(this.#scoped.splice(0))).find((message) => message !== null) ?? null;
  }

  /** Throws what the GPU complained of so far; what a scope caught says more than what followed from it. */
  async #throwFailure(): Promise<void> {
    this.#failure = (await this.refusals()) ?? this.#failure;
    if (this.#failure) throw new GpuFailure(this.#failure);
  }

  /** Creates something; an error of the kind is told at the next readback, after `what`. */
  #scope<T>(filter: GPUErrorFilter, what: string, create: () => T): T {
    this.device.pushErrorScope(filter);
    const created = create();
    const message = (error: GPUError | null) => error && `${what}: ${error.message}`;
    this.#scoped.push(this.device.popErrorScope().then(message, () => null)); // it rejects on a lost device, which is told as such
    return created;
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = null;
  }

  #writeParams(name: string, { params }: Signature, values: Readonly<Record<string, number>>): number {
    const offset = this.#paramsUsed;
    const given = Object.keys(values);
    if (given.length !== params.length)
      throw new Error(`${name}.wgsl takes params (${params.map((p) => p.name)}) but was given (${given})`);
    params.forEach((param, i) => {
      const value = values[param.name];
      if (value === undefined) throw new Error(`${name}.wgsl takes params (${params.map((p) => p.name)}) but was given (${given})`);
      if (param.type === "f32") this.#paramsData.setFloat32(offset + 4 * i, value, true);
      else this.#paramsData.setUint32(offset + 4 * i, value, true);
    });
    this.#paramsUsed += PARAMS_ALIGNMENT;
    return offset;
  }

  #bindGroup({ layout, signature }: Kernel, tensors: readonly Tensor[]): GPUBindGroup {
    const ids = tensors.map((t) => this.#bufferIds.get(t.buffer)!);
    const access = signature.bindings.map((b) => b.access[4] ?? "r").join("");
    const key = `${access}${signature.params.length}|${tensors.map((t, i) => `${ids[i]}:${t.offset}:${t.bytes}`).join("|")}`;
    const cached = this.#bindGroups.get(key);
    if (cached) return cached.group;
    const entries: GPUBindGroupEntry[] = tensors.map(({ buffer, offset, bytes }, binding) => ({
      binding,
      resource: { buffer, offset, size: bytes },
    }));
    if (signature.params.length > 0) {
      entries.push({ binding: tensors.length, resource: { buffer: this.#params, size: PARAMS_ALIGNMENT } });
    }
    const group = this.device.createBindGroup({ layout, entries });
    this.counters.created += 1;
    this.#bindGroups.set(key, { group, buffers: ids });
    for (const id of ids) {
      const keys = this.#groupsOfBuffer.get(id) ?? new Set();
      this.#groupsOfBuffer.set(id, keys.add(key));
    }
    return group;
  }

  #layouts = new Map<string, GPUBindGroupLayout>();

  /** One layout per binding signature, so that variants of a shader share bind groups. */
  #layout({ bindings, params }: Signature): GPUBindGroupLayout {
    const key = `${bindings.map((b) => b.access).join()},${params.length}`;
    const cached = this.#layouts.get(key);
    if (cached) return cached;
    const entries: GPUBindGroupLayoutEntry[] = bindings.map(({ access }, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: access === "read" ? "read-only-storage" : "storage" },
    }));
    if (params.length > 0) {
      entries.push({ binding: bindings.length, visibility: GPUShaderStage.COMPUTE, buffer: { type: "uniform", hasDynamicOffset: true } });
    }
    const layout = this.device.createBindGroupLayout({ entries });
    this.#layouts.set(key, layout);
    return layout;
  }

  #kernel(name: string, dispatch: Dispatch): Kernel {
    const key = kernelKey(name, dispatch);
    const cached = this.#kernels.get(key);
    if (cached) return cached;
    const { signature, layout, descriptor } = this.#describe(name, dispatch);
    const create = () => this.device.createComputePipeline(descriptor);
    const pipeline = this.#scope("validation", `the kernel ${name} cannot be made`, create);
    return this.#keepKernel(key, { pipeline, layout, signature });
  }

  #keepKernel(key: string, kernel: Kernel): Kernel {
    this.counters.created += 1;
    this.#kernels.set(key, kernel);
    return kernel;
  }

  #describe(name: string, { constants = {}, sizes = {} }: Dispatch) {
    const code = shaders.get(name);
    if (!code) throw new Error(`there is no shaders/${name}.wgsl`);
    const prelude = Object.entries(sizes).map(([size, value]) => `const ${size} = ${value}u;\n`);
    const signature = readSignature(name, code);
    const layout = this.#layout(signature);
    const module = this.device.createShaderModule({ label: name, code: prelude.join("") + code });
    const pipelineLayout = this.device.createPipelineLayout({ bindGroupLayouts: [layout] });
    return { signature, layout, descriptor: { label: name, layout: pipelineLayout, compute: { module, entryPoint: name, constants } } };
  }

  /**
   * Makes the pipelines of all that `record` would run, together and without blocking, instead of one by one when each is first run.
   * Nothing is run, copied or written.
   */
  async compile(record: () => void): Promise<void> {
    const { missing } = this.#lookAt(record);
    const make = async (key: string, name: string, dispatch: Dispatch) => {
      const { signature, layout, descriptor } = this.#describe(name, dispatch);
      const pipeline = await this.device.createComputePipelineAsync(descriptor).catch((error: unknown) => {
        throw new GpuFailure(`the kernel ${name} cannot be made: ${messageOf(error)}`);
      });
      if (!this.#kernels.has(key)) this.#keepKernel(key, { pipeline, layout, signature });
    };
    await this.#wait(Promise.all([...missing].map(([key, { name, dispatch }]) => make(key, name, dispatch))));
  }

  /** Operations of all that `record` would run, as `counters.flops` counts them. Nothing is run, copied or written. */
  count(record: () => void): number {
    return this.#lookAt(record).flops;
  }

  #lookAt(record: () => void): Looking {
    const looking = { missing: new Map(), flops: 0 };
    this.#looking = looking;
    try {
      record();
      return looking;
    } finally {
      this.#looking = null;
    }
  }

  /** While it is only looked at what would run. */
  #looking: Looking | null = null;
}

const kernelKey = (name: string, { constants = {}, sizes = {} }: Dispatch): string =>
  `${name} ${JSON.stringify(constants)} ${JSON.stringify(sizes)}`;

function checkBindings(
  name: string,
  { bindings }: Signature,
  inputs: Readonly<Record<string, Tensor>>,
  outputs: Readonly<Record<string, Tensor>>,
): void {
  const given = [...Object.keys(inputs).map((key) => `read ${key}`), ...Object.keys(outputs).map((key) => `read_write ${key}`)];
  const declared = bindings.map((b) => `${b.access} ${b.name}`);
  if (declared.join() !== given.join())
    throw new Error(`${name}.wgsl declares (${declared.join(", ")}) but was given (${given.join(", ")})`);
}
