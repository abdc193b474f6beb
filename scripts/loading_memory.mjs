// Loads a model onto a device that allocates nothing: what the process then takes more than before is what loading takes beside the
// weights that stay on a GPU. node scripts/loading_memory.mjs PATH DTYPE prints the most in bytes, and what is left of it afterwards.
import { openModules } from "./modules.mjs";

const SAMPLE_MS = 5;

const [path = "", dtype = ""] = process.argv.slice(2);
const modules = await openModules();
const { openModelFiles } = await modules.import("/src/cli/model_source.ts");
const { openProgress } = await modules.import("/src/cli/progress.ts");
const { Gpu } = await modules.import("/src/gpu/gpu.ts");
const { loadModel } = await modules.import("/src/model/model.ts");
const { countingDevice } = await modules.import("/test/model/counting_device.ts");

const gpu = new Gpu(countingDevice());
globalThis.gc?.();
const before = process.memoryUsage().rss;
let most = 0;
const sample = () => {
  most = Math.max(most, process.memoryUsage().rss - before);
};
const timer = setInterval(sample, SAMPLE_MS);
const model = await loadModel(gpu, await openModelFiles(path, "", openProgress(process.stderr)), { dtype, onProgress: sample });
clearInterval(timer);
globalThis.gc?.();
console.log(JSON.stringify({ most, left: process.memoryUsage().rss - before, weights: gpu.counters.bytes, parameters: model.parameters }));
process.exit(0);
