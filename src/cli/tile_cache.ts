// Choices of kernels: those that a run recorded, and those that were measured on this machine's adapters.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { TileChoices } from "../gpu/tiles.ts";
import { InputError } from "../input_error.ts";
import { readTiles, type TileStore } from "../model/tuner.ts";
import { readInput } from "./paths.ts";

/** `kernels` of a run.json. Throws an InputError where there is none, or it names a tile that does not exist. */
export function recordedTiles(path: string): TileChoices {
  const tiles = readTiles(JSON.stringify(kernelsOf(new TextDecoder().decode(readInput(path, "run file")))));
  if (!tiles) throw new InputError(`${path}: expected "kernels" with a tile for each class of products, as a run of Errata records them.`);
  return tiles;
}

function kernelsOf(text: string): unknown {
  try {
    const run: unknown = JSON.parse(text);
    return typeof run === "object" && run !== null && "kernels" in run ? run.kernels : null;
  } catch {
    return null;
  }
}

/** A file in the user's cache folder; one that is missing or damaged counts as empty. */
export function tileCache(): TileStore {
  const path = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "errata", "tiles.json");
  const readAll = (): Record<string, string> => {
    try {
      const all: unknown = JSON.parse(readFileSync(path, "utf8"));
      const entries = typeof all === "object" && all !== null ? Object.entries(all) : [];
      return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
    } catch {
      return {}; // measured anew
    }
  };
  return {
    read: async (key) => readAll()[key] ?? null,
    write: async (key, text) => {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, JSON.stringify({ ...readAll(), [key]: text }));
    },
  };
}
