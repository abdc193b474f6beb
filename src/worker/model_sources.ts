// Where the page's models come from: with the page, from files that were picked, or from a hub or an address by way of the browser's store.
import { InputError } from "../input_error.ts";
import type { ModelFiles } from "../model/files.ts";
import { pickedFiles, urlFiles } from "../model/files.ts";
import { GgufFolder } from "../model/gguf.ts";
import { type ByteSource, bytesSource } from "../model/safetensors.ts";
import { openBrowserModels } from "../storage/browser_models.ts";
import type { DownloadProgress, ModelStore, StoredModel } from "../storage/model_store.ts";
import { bytesText } from "../train/memory_plan.ts";
import type { Event, ModelSource } from "./protocol.ts";

const EMBEDDED = { id: "errata-demo", folder: "models/demo" };

export class ModelSources {
  readonly #send: (event: Event) => void;
  #store: Promise<ModelStore> | null = null;
  #download: AbortController | null = null;
  /** The embedded model's files, once they were asked for. */
  #embedded: ModelFiles | null = null;

  constructor(send: (event: Event) => void) {
    this.#send = send;
  }

  /**
   * The files of a model, downloaded first where they are elsewhere.
   * @param base address of the page's folder
   */
  async files(source: ModelSource, base: string): Promise<ModelFiles> {
    switch (source.kind) {
      case "embedded":
        this.#embedded ??= readOnce(urlFiles(EMBEDDED.id, new URL(EMBEDDED.folder, base).href));
        return this.#embedded;
      case "files":
        return openPicked(source.name, source.files);
      case "remote":
        return this.#fetch(source);
    }
  }

  /** Breaks a download off; what is there by then is kept for the next try. */
  cancel(): void {
    this.#download?.abort(new InputError("Broken off. What was downloaded is kept: download it again to go on from there."));
  }

  /** The models that are stored in this browser. */
  async list(): Promise<StoredModel[]> {
    return (await this.#open()).list();
  }

  async remove(id: string): Promise<void> {
    await (await this.#open()).remove(id);
  }

  #open(): Promise<ModelStore> {
    const onNotice = (message: string) => this.#send({ type: "notice", message });
    this.#store ??= openBrowserModels(onNotice);
    return this.#store;
  }

  async #fetch({ name, hub, token }: Extract<ModelSource, { kind: "remote" }>): Promise<ModelFiles> {
    const store = await this.#open();
    this.#download = new AbortController();
    try {
      return await store.load(name, {
        hub,
        token,
        signal: this.#download.signal,
        onNotice: (message) => this.#send({ type: "notice", message }),
        onProgress: (at) => this.#send({ type: "progress", label: downloadText(name, at), done: at.done, total: at.total ?? at.done + 1 }),
      });
    } finally {
      this.#download = null;
    }
  }
}

/** The same files, kept in memory once they are read: small ones that are needed again where a device is lost, also offline. */
function readOnce(files: ModelFiles): ModelFiles {
  const known = new Map<string, ByteSource | null>();
  const read = async (path: string) => {
    const source = await files.open(path);
    return source && bytesSource(path, await source.slice(0, source.size));
  };
  return {
    id: files.id,
    open: async (path) => {
      if (!known.has(path)) known.set(path, await read(path));
      return known.get(path) ?? null;
    },
  };
}

async function openPicked(name: string, files: readonly File[]): Promise<ModelFiles> {
  const folder = pickedFiles(name, files);
  const ggufs = files.filter((file) => file.name.toLowerCase().endsWith(".gguf"));
  if (ggufs.length > 1) throw new InputError(`${name} holds ${ggufs.length} GGUF files: pick the one to load (${ggufs[0]!.name}, ...).`);
  const [gguf] = ggufs;
  const path = gguf && (gguf.webkitRelativePath.split("/").slice(1).join("/") || gguf.name);
  const source = path === undefined ? null : await folder.open(path);
  return source ? GgufFolder.open(name, source) : folder;
}

function downloadText(name: string, { done, total, bytesPerSecond, secondsLeft }: DownloadProgress): string {
  const of = total === null ? "" : ` of ${bytesText(total)}`;
  const left = secondsLeft === null ? "" : `, ${Math.ceil(secondsLeft)} s left`;
  return `Downloading ${name}: ${bytesText(done)}${of}, ${bytesText(bytesPerSecond)} a second${left}`;
}
