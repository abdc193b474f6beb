// The store of models in the browser: its private file system, or memory where that is closed (private windows of some browsers).

import { messageOf } from "../input_error.ts";
import { ModelStore } from "./model_store.ts";
import { opfsFolder } from "./opfs_folder.ts";

const FOLDER = "models";

/**
 * Opens the browser's store of models; to be called in a dedicated worker.
 * @param onNotice told in one sentence where nothing can be stored
 */
export async function openBrowserModels(onNotice: (sentence: string) => void): Promise<ModelStore> {
  try {
    return new ModelStore(await opfsFolder(FOLDER));
  } catch (error) {
    const why = messageOf(error);
    onNotice(`This browser stores nothing here, as in a private window (${why}): models are held in memory until the page is closed.`);
    return new ModelStore(null);
  }
}
