// IterPref (Target-DPO): pairs of nearly equal answers, an answer and its repair, of which the focal loss counts what differs.
import { integer, shuffled, streamOf } from "../random.ts";
import type { Answer, NotebookProblem } from "../records.ts";
import { type Chain, passed } from "./codeflow.ts";
import type { Curriculum, PairDraw } from "./curriculum.ts";
import { differingLines } from "./focal_diff.ts";
import { errorTypeOf, type Rule } from "./notebook.ts";

/** codeflow: both answers are of one chain. fallback: a failed answer and the passed answer of the exam that is nearest to it. */
export type PairOrigin = "codeflow" | "fallback";

/** A pair by sample indices of its problem; the index of a repaired answer is beyond the exam's. */
export interface FocalPair {
  task_id: string;
  chosen: Answer;
  rejected: Answer;
  error_type: string;
  origin: PairOrigin;
  /** Versions from which the rejected one was drawn. */
  versions: number;
}

/** The paper's limits. */
const MOST_LINES = 20;
const MOST_TOKENS = 2048;

/**
 * A pair of each chain: the version that passed against a random earlier one. A chain that never passed is discarded by the paper;
 * with `passedAnswers` its failed answer is paired with the problem's nearest passed one instead.
 * @param passedAnswers the passed answers of the exam by task; null: no fall-back
 */
export function pairsOfChains(
  chains: readonly Chain[],
  passedAnswers: ReadonlyMap<string, readonly Answer[]> | null,
  { seed, rule }: { seed: number; rule: Rule },
): FocalPair[] {
  return chains.flatMap((chain): FocalPair[] => {
    const { task_id, sample_index } = chain.failed;
    if (passed(chain)) {
      const versions = [chain.failed, ...chain.steps.slice(0, -1)].filter(({ error_type }) => error_type !== "");
      const rejected = versions[integer(seed, streamOf(`codeflow/rejected/${task_id}/${sample_index}`), 0, versions.length)]!;
      const chosen = chain.steps.at(-1)!;
      if (chosen.ended === "length") return []; // never chosen
      return [pair(chosen, rejected, "codeflow", versions.length)];
    }
    const candidates = passedAnswers?.get(task_id) ?? [];
    if (candidates.length === 0) return [];
    return [pair(nearest(chain.failed, candidates), chain.failed, "fallback", 1)];
  });

  function pair(chosen: Answer, rejected: Answer, origin: PairOrigin, versions: number): FocalPair {
    return { task_id: rejected.task_id, chosen, rejected, error_type: errorTypeOf(rejected, rule), origin, versions };
  }
}

/** Of equally near ones the first. */
function nearest(failed: Answer, candidates: readonly Answer[]): Answer {
  let best = candidates[0]!;
  let least = Infinity;
  for (const candidate of candidates) {
    const distance = editDistance(failed.completion, candidate.completion, least);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Levenshtein's distance in UTF-16 units, or `limit` as soon as it is known not to be less. */
export function editDistance(a: string, b: string, limit = Infinity): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, row[j]! + 1, next[j - 1]! + 1));
    }
    if (Math.min(...next) >= limit) return limit;
    row = next;
  }
  return row[b.length]!;
}

/** Why the paper drops a pair, or null; that both may be the same program is for Python to say (sameProgram). */
export function dropReason({ chosen, rejected }: Pick<FocalPair, "chosen" | "rejected">, tokens: number): string | null {
  const differing = differingLines(rejected.completion, chosen.completion).map((line) => line.trim());
  if (differing.length > 0 && differing.every((line) => line === "" || line.startsWith("#"))) return "only comments differ";
  if (differing.length > MOST_LINES) return `more than ${MOST_LINES} lines differ`;
  if (tokens > MOST_TOKENS) return `more than ${MOST_TOKENS} tokens`;
  return null;
}

/** A program for the judge that passes where two programs have the same syntax tree (and so differ in looks alone). */
export function sameProgram(a: string, b: string): { program: string; entryPoint: string; tests: string[] } {
  const trees = [a, b].map((text) => `ast.dump(ast.parse(${JSON.stringify(text)}))`).join(" == ");
  return { program: `import ast\n\ndef same():\n    return ${trees}\n`, entryPoint: "same", tests: ["assert same() == True"] };
}

/** All pairs, shuffled once, again and again. */
export function iterPref(problems: readonly NotebookProblem[], pairs: readonly FocalPair[], seed: number): Curriculum {
  const order = shuffled(pairs, seed, streamOf("draw/pairs"));
  const problemOf = new Map(problems.map(({ task_id }, i) => [task_id, i]));
  const pairAt = (index: number): PairDraw => {
    const { task_id, chosen, rejected, error_type, origin, versions } = order[index % order.length]!;
    return {
      problem: problemOf.get(task_id)!,
      chosen: chosen.sample_index,
      rejected: rejected.sample_index,
      error_type,
      epoch: index / order.length,
      window: [0, versions],
      source: "window",
      probability: 1 / versions,
      origin,
    };
  };
  return { pairsPerEpoch: order.length, pairAt };
}
