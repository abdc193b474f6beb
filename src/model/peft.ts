// LoRA adapters in the files of PEFT (0.21): adapter_config.json and adapter_model.safetensors. Plain tensors in, plain tensors out;
// an adapter whose settings Errata would compute otherwise than PEFT does is refused.

import { InputError } from "../input_error.ts";
import type { ModelConfig } from "./config.ts";
import { type ModelFiles, readJson } from "./files.ts";
import { readSafetensorsHeader, readTensorF32, writeSafetensors } from "./safetensors.ts";
import { isProjection, PROJECTIONS, type Projection, projectionPath, projectionShape } from "./weight_shapes.ts";

export interface LoraConfig {
  r: number;
  lora_alpha: number;
  /** Among the seven projections. */
  target_modules: string[];
  /** Scale alpha / sqrt(r) instead of alpha / r. */
  use_rslora: boolean;
  /** Does nothing but in training, which refuses it. */
  lora_dropout?: number;
}

export interface AdapterFile {
  config: LoraConfig;
  /** By PEFT's names: base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight is [r, inputs], lora_B.weight is [outputs, r]. */
  tensors: Map<string, { shape: number[]; data: Float32Array<ArrayBuffer> }>;
}

const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";

/** What an adapter is multiplied with before it is added. */
export function loraScale({ r, lora_alpha, use_rslora }: LoraConfig): number {
  return lora_alpha / (use_rslora ? Math.sqrt(r) : r);
}

/** PEFT's name of one side of a projection's pair. */
export function adapterTensorName(layer: number, projection: Projection, side: "A" | "B"): string {
  return `base_model.model.model.layers.${layer}.${projectionPath(projection)}.lora_${side}.weight`;
}

/** Names and shapes of all tensors of an adapter, in PEFT's order: by layer, in the order of the forward pass, A before B. */
export function adapterShapes(lora: LoraConfig, model: ModelConfig): Map<string, [number, number]> {
  const shapes = new Map<string, [number, number]>();
  for (let layer = 0; layer < model.layers; layer++) {
    for (const projection of PROJECTIONS.filter((name) => lora.target_modules.includes(name))) {
      const [outputs, inputs] = projectionShape(model, projection);
      shapes.set(adapterTensorName(layer, projection, "A"), [lora.r, inputs]);
      shapes.set(adapterTensorName(layer, projection, "B"), [outputs, lora.r]);
    }
  }
  return shapes;
}

/**
 * Reads a PEFT adapter and checks that it belongs to the model.
 * @throws InputError where a setting cannot be run, or a name or shape does not fit the base
 */
export async function readAdapter(files: ModelFiles, model: ModelConfig): Promise<AdapterFile> {
  const json = await readJson(files, CONFIG);
  if (json === null) throw new InputError(`${files.id}: expected a PEFT adapter, found no ${CONFIG}.`);
  const config = readLoraConfig(json, `${files.id}/${CONFIG}`, model);
  const source = await files.open(WEIGHTS);
  if (!source) throw new InputError(`${files.id}: expected a PEFT adapter, found no ${WEIGHTS}.`);
  const { tensors: found } = await readSafetensorsHeader(source);
  const expected = adapterShapes(config, model);
  const foreign = [...found.keys()].find((name) => !expected.has(name));
  if (foreign !== undefined) {
    throw new InputError(
      `${source.name}: tensor "${foreign}" fits no projection that the base model and target_modules have: an adapter of another base?`,
    );
  }
  const tensors: AdapterFile["tensors"] = new Map();
  for (const [name, shape] of expected) {
    const info = found.get(name);
    if (!info)
      throw new InputError(`${source.name}: expected tensor "${name}" of shape [${shape}], found none: an adapter of another base?`);
    if (info.shape.length !== 2 || info.shape[0] !== shape[0] || info.shape[1] !== shape[1]) {
      throw new InputError(
        `${source.name}: tensor "${name}": expected shape [${shape}], found [${info.shape}]: an adapter of another base?`,
      );
    }
    const data = await readTensorF32(source, info);
    if (!data.every(Number.isFinite)) throw new InputError(`${source.name}: tensor "${name}": expected finite values, found others.`);
    tensors.set(name, { shape, data });
  }
  return { config, tensors };
}

type Json = Record<string, unknown>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readLoraConfig(json: unknown, file: string, model: ModelConfig): LoraConfig {
  if (!isObject(json)) throw new InputError(`${file}: expected an object with the adapter's settings.`);
  const fail = (field: string, expected: string) =>
    new InputError(`${file}: ${field} ${JSON.stringify(json[field]) ?? "is missing"}: ${expected}.`);
  if (json.peft_type !== "LORA") throw fail("peft_type", "expected LORA");
  refuseSettings(json, fail);
  const { r, lora_alpha, use_rslora, lora_dropout = 0 } = json;
  if (typeof r !== "number" || !Number.isSafeInteger(r) || r < 1) throw fail("r", "expected a whole number of at least 1");
  if (typeof lora_alpha !== "number" || !Number.isFinite(lora_alpha)) throw fail("lora_alpha", "expected a number");
  if (use_rslora !== undefined && typeof use_rslora !== "boolean") throw fail("use_rslora", "expected true or false");
  if (typeof lora_dropout !== "number" || !(lora_dropout >= 0 && lora_dropout < 1)) throw fail("lora_dropout", "expected a share below 1");
  const config = { r, lora_alpha, target_modules: readTargets(json.target_modules, model, fail), use_rslora: use_rslora ?? false };
  return lora_dropout === 0 ? config : { ...config, lora_dropout };
}

type Fail = (field: string, expected: string) => InputError;

/**
 * The projections that target_modules names, as PEFT reads it: a list of module names or of their ends ("q_proj", "self_attn.q_proj",
 * or every "model.layers.0.self_attn.q_proj", which is what PEFT saves for "all-linear"), or a text, which is a regular expression
 * over whole names, or "all-linear": every linear layer but the head.
 */
function readTargets(value: unknown, { layers }: ModelConfig, fail: Fail): Projection[] {
  if (value === "all-linear") return [...PROJECTIONS];
  const isTarget = targetTest(value, fail);
  const modules = PROJECTIONS.map((projection) => {
    const paths = Array.from({ length: layers }, (_, i) => `model.layers.${i}.${projectionPath(projection)}`);
    return { projection, paths, targeted: paths.filter(isTarget) };
  });
  const partial = modules.find(({ paths, targeted }) => targeted.length > 0 && targeted.length < paths.length);
  if (partial) throw fail("target_modules", `expected ${partial.projection} in all ${layers} layers or in none`);
  const targets = modules.filter(({ targeted }) => targeted.length > 0).map(({ projection }) => projection);
  if (targets.length === 0) throw fail("target_modules", `expected some of ${PROJECTIONS.join(", ")}`);
  return targets;
}

/** Whether a module's whole name is a target. Targets that name no projection, such as the embedding, are refused. */
function targetTest(value: unknown, fail: Fail): (path: string) => boolean {
  if (typeof value === "string") {
    const pattern = readPattern(value, fail);
    if (OTHER_MODULES.some((path) => pattern.test(path))) throw fail("target_modules", "only projections can be run");
    return (path) => pattern.test(path);
  }
  const names: unknown[] = Array.isArray(value) ? value : [];
  if (!names.every((name) => typeof name === "string" && isProjection(name.slice(name.lastIndexOf(".") + 1)))) {
    throw fail("target_modules", `expected a list of names among ${PROJECTIONS.join(", ")}`);
  }
  return (path) => names.some((name) => path === name || path.endsWith(`.${name}`));
}

const OTHER_MODULES = ["model.embed_tokens", "lm_head"];

function readPattern(text: string, fail: Fail): RegExp {
  try {
    return new RegExp(`^(?:${text})$`);
  } catch {
    throw fail("target_modules", "expected a list of names, or a regular expression");
  }
}

/** Settings of PEFT that change what an adapter computes, or how it trains, and that no kernel knows. */
const OFF = [
  "use_dora",
  "use_qalora",
  "lora_bias",
  "fan_in_fan_out",
  "modules_to_save",
  "layers_to_transform",
  "layers_pattern",
  "layer_replication",
  "rank_pattern",
  "alpha_pattern",
  "exclude_modules",
  "target_parameters",
  "trainable_token_indices",
  "alora_invocation_tokens",
  "arrow_config",
  "use_bdlora",
  "kasa_config",
  "monteclora_config",
  "velora_config",
] as const;

function isOff(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return true;
  return typeof value === "object" && Object.keys(value).length === 0; // {} and []
}

function refuseSettings(json: Json, fail: Fail): void {
  for (const field of OFF) {
    if (!isOff(json[field])) throw fail(field, "this setting of PEFT cannot be run; expected it to be off");
  }
  if (json.bias !== undefined && json.bias !== "none") throw fail("bias", 'trained biases cannot be run; expected "none"');
}

/**
 * An adapter's two files, as PEFT's save_pretrained writes them.
 * @param baseModel goes into base_model_name_or_path
 */
export function writeAdapter({ config, tensors }: AdapterFile, baseModel: string): { path: string; bytes: Uint8Array<ArrayBuffer> }[] {
  const json = {
    base_model_name_or_path: baseModel,
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: config.lora_alpha,
    lora_dropout: config.lora_dropout ?? 0,
    modules_to_save: null,
    peft_type: "LORA",
    r: config.r,
    target_modules: [...config.target_modules].sort(),
    task_type: "CAUSAL_LM",
    use_dora: false,
    use_rslora: config.use_rslora,
  };
  const weights = [...tensors].map(([name, { shape, data }]) => ({ name, shape, data }));
  return [
    { path: CONFIG, bytes: new TextEncoder().encode(`${JSON.stringify(json, null, 2)}\n`) },
    { path: WEIGHTS, bytes: writeSafetensors(weights, { format: "pt" }) },
  ];
}
