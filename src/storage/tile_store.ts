// The browser's store for choices of kernels (model/tuner.ts).

import { openDB } from "idb";
import type { TileStore } from "../model/tuner.ts";

const TABLE = "tiles";

/** In IndexedDB. Where the browser keeps nothing (a private window, no room), nothing is stored, and kernels are chosen anew each time. */
export function tileStore(): TileStore {
  const database = openDB("errata kernels", 1, { upgrade: (db) => void db.createObjectStore(TABLE) });
  return {
    read: async (key) => {
      const text: unknown = await database.then((db) => db.get(TABLE, key)).catch(() => null);
      return typeof text === "string" ? text : null;
    },
    write: async (key, text) => {
      await database.then((db) => db.put(TABLE, text, key)).catch(() => null);
    },
  };
}
