// What ort_page.ts uses of onnxruntime-web. The package has 138 MB and serves one comparison: whoever wants that installs it (ort_peer.ts).
declare module "onnxruntime-web/webgpu" {
  export class Tensor {
    static fromGpuBuffer(buffer: GPUBuffer, options: { dataType: "float32"; dims: readonly number[] }): Tensor;
    dispose(): void;
  }
  export class InferenceSession {
    static create(
      model: Uint8Array,
      options: { executionProviders: readonly string[]; preferredOutputLocation: "gpu-buffer" },
    ): Promise<InferenceSession>;
    run(feeds: Record<string, Tensor>): Promise<Record<string, Tensor>>;
    release(): Promise<void>;
  }
  export const env: { readonly webgpu: { readonly device: Promise<GPUDevice> } };
}
