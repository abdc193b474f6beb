// Keeping that may fail: a full quota or a cleared storage ends the keeping, not the run.
import type { Keeper, RunCheckpoint, RunEntry } from "../ap2o/run_state.ts";

/**
 * A keeper that gives up, with one sentence, where the one it stands for fails.
 * @param told hears the sentence
 */
export function carefulKeeper(keeper: Keeper, told: (message: string) => void): Keeper {
  let given = true;
  const attempt = async (work: () => Promise<void>) => {
    if (!given) return;
    try {
      await work();
    } catch (error) {
      given = false;
      told(`${reasonOf(error)} The run goes on, but what it does from here on would be lost with this tab: save its files when it ends.`);
    }
  };
  return {
    note: (entry: RunEntry) => attempt(() => keeper.note(entry)),
    async checkpoint(must: boolean, make: () => Promise<RunCheckpoint>) {
      const ofStudent: unknown[] = []; // the student's own failure is no failure to keep
      const collect = async () => {
        try {
          return await make();
        } catch (error) {
          ofStudent.push(error);
          throw error;
        }
      };
      await attempt(() => keeper.checkpoint(must, collect).catch((error) => (ofStudent.length > 0 ? undefined : Promise.reject(error))));
      if (ofStudent.length > 0) throw ofStudent[0];
    },
  };
}

/** Why the browser did not store something, in a sentence. */
export function reasonOf(error: unknown): string {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "QuotaExceededError") return "The browser's storage is full: delete old runs or models to make room.";
  if (name === "SecurityError") return "This window keeps nothing (a private one, or storage is switched off).";
  if (name === "NotFoundError" || name === "InvalidStateError") return "The browser's storage was cleared while the run was under way.";
  return `The browser's storage failed (${error instanceof Error ? error.message : error}).`;
}
