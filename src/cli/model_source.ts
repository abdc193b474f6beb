// Where --model leads: a folder, a GGUF file, or a hub or an address whose files are kept in a cache folder.
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import type { ModelFiles } from "../model/files.ts";
import { GgufFolder } from "../model/gguf.ts";
import { isAddress, isHubId } from "../storage/hub.ts";
import { type DownloadProgress, ModelStore } from "../storage/model_store.ts";
import { bytesText } from "../train/memory_plan.ts";
import { diskFolder } from "./disk_folder.ts";
import { folderFiles, openPath } from "./folder.ts";
import { callerPath, DEMO_MODEL } from "./paths.ts";
import type { Progress } from "./progress.ts";

/**
 * The files of --model. What lies on disk goes before what a hub may have by the same name. A hub's token, for gated models, is read
 * from HF_TOKEN; downloads are kept in ERRATA_CACHE, or the system's folder for caches.
 * @throws InputError in one sentence where there is no such model, or it cannot be downloaded
 */
export async function openModelFiles(model: string, hub: string, progress: Progress): Promise<ModelFiles> {
  if (model === "") return folderFiles(DEMO_MODEL);
  if (isAddress(model)) return download(model, hub, progress);
  const path = callerPath(model);
  if (!existsSync(path) && isHubId(model)) return download(model, hub, progress);
  const source = path.toLowerCase().endsWith(".gguf") ? await openPath(path) : null;
  return source ? GgufFolder.open(basename(path).slice(0, -".gguf".length), source) : folderFiles(path);
}

function download(id: string, hub: string, progress: Progress): Promise<ModelFiles> {
  const cache = join(cacheFolder(), "models");
  const store = new ModelStore({ ...diskFolder(cache), open: (file) => openPath(join(cache, file)) });
  return store.load(id, {
    hub,
    token: process.env.HF_TOKEN ?? null,
    onNotice: (sentence) => progress.say(sentence),
    onProgress: (at) => progress.show(progressText(id, at)),
  });
}

function cacheFolder(): string {
  const { ERRATA_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  return ERRATA_CACHE ?? join(XDG_CACHE_HOME ?? LOCALAPPDATA ?? join(homedir(), ".cache"), "errata");
}

function progressText(id: string, { done, total, bytesPerSecond, secondsLeft }: DownloadProgress): string {
  const of = total === null ? "" : ` of ${bytesText(total)}`;
  const left = secondsLeft === null ? "" : `, ${Math.ceil(secondsLeft)} s left`;
  return `downloading ${id}: ${bytesText(done)}${of}, ${bytesText(bytesPerSecond)} a second${left}`;
}
