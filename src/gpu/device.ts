// The only file that touches navigator.gpu or the `webgpu` package.

declare global {
  // Dawn lives only as long as something global refers to the object that create() returned.
  var errataDawn: GPU | undefined;
}

export interface AdapterInfo {
  vendor: string;
  architecture: string;
  description: string;
  /** WebGPU's limits that the memory plan needs, in bytes or counts. */
  limits: Record<string, number>;
  features: string[];
}

/** Bytes of the largest tensor that the adapter can hold and bind as a whole. */
export const largestBinding = ({ limits }: Pick<AdapterInfo, "limits">): number =>
  Math.min(limits.maxBufferSize ?? Number.POSITIVE_INFINITY, limits.maxStorageBufferBindingSize ?? Number.POSITIVE_INFINITY);

/** What tells one adapter from another: on another one, numbers may differ in the last digits. */
export const adapterName = ({ vendor, architecture, description }: AdapterInfo): string => [vendor, architecture, description].join(" ");

const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
] as const;

/**
 * Opens the browser's GPU, or Dawn's under Node. Throws one sentence that says what to do when there is no adapter.
 * @param power which adapter of several; only a hint to the browser
 */
export async function openDevice(power: GPUPowerPreference = "high-performance"): Promise<{ device: GPUDevice; adapter: AdapterInfo }> {
  const adapter = await requestAdapter(power);
  const requiredLimits: Record<string, number> = {};
  for (const limit of LIMITS) requiredLimits[limit] = adapter.limits[limit]; // defaults suffice; larger ones are used where they are there
  const requiredFeatures: GPUFeatureName[] = adapter.features.has("subgroups") ? ["subgroups"] : [];
  const device = await adapter.requestDevice({ label: "errata", requiredLimits, requiredFeatures });
  const { vendor, architecture, description } = adapter.info;
  return { device, adapter: { vendor, architecture, description, limits: requiredLimits, features: [...adapter.features].sort() } };
}

/** Between two questions whether the GPU is done. */
const REST_MS = 0.2;

/**
 * Waits for something of the GPU. Dawn under Node asks without pause whether it is done, on a core that an adapter which computes on the
 * processor needs: between two questions this thread sleeps.
 */
export async function waitRestfully<T>(pending: Promise<T>): Promise<T> {
  if (!inNode()) return pending;
  const bell = new Int32Array(new SharedArrayBuffer(4)); // never rung
  let waiting = true;
  const rest = () => {
    if (!waiting) return;
    Atomics.wait(bell, 0, 0, REST_MS);
    setImmediate(rest);
  };
  setImmediate(rest);
  try {
    return await pending;
  } finally {
    waiting = false;
  }
}

const inNode = (): boolean => typeof process !== "undefined" && process.versions?.node !== undefined;

async function requestAdapter(powerPreference: GPUPowerPreference): Promise<GPUAdapter> {
  const adapter = inNode()
    ? await requestDawnAdapter(powerPreference)
    : await globalThis.navigator.gpu?.requestAdapter({ powerPreference });
  if (adapter) return adapter;
  if (inNode()) {
    throw new Error(
      "No WebGPU adapter: install a Vulkan driver (or a Chromium, whose SwiftShader serves), or set VK_DRIVER_FILES to a driver's ICD file.",
    );
  }
  throw new Error("No WebGPU adapter: use a browser with WebGPU switched on, over https or on localhost.");
}

async function requestDawnAdapter(powerPreference: GPUPowerPreference): Promise<GPUAdapter | null> {
  const dawn = "webgpu"; // a name that bundlers do not follow: the page never loads Dawn
  const { create, globals } = (await import(/* @vite-ignore */ dawn)) as typeof import("webgpu");
  Object.assign(globalThis, globals);
  globalThis.errataDawn ??= create([]);
  return globalThis.errataDawn.requestAdapter({ powerPreference });
}

/** Puts Dawn where a browser has WebGPU, for libraries that look for it there. A device must be open. */
export function showDawnAsBrowsersDo(): void {
  if (!globalThis.errataDawn) throw new Error("Dawn is not open.");
  Object.defineProperty(globalThis, "navigator", { value: { gpu: globalThis.errataDawn, userAgent: "Node" }, configurable: true });
}
