// IterPref (Target-DPO): pairs of nearly equal answers, an answer and its repair, of which the focal loss counts what differs.
import { countEach } from "../counts.ts";
import type { Judge, JudgeRequest } from "../python/judge.ts";
import { integer, shuffled, streamOf } from "../random.ts";
import type { Answer, Notebook, NotebookProblem, RunEvent } from "../records.ts";
import type { Problem } from "../tasks/problem.ts";
import { questionOf } from "../tasks/prompt.ts";
import { type Chain, passed, type RepairOptions, repair, type Sit } from "./codeflow.ts";
import type { RunConfig } from "./config.ts";
import type { Curriculum, PairDraw } from "./curriculum.ts";
import { differingLines } from "./focal_diff.ts";
import { errorTypeOf, type Rule } from "./notebook.ts";
import type { Student } from "./student.ts";

/** codeflow: both answers are of one chain. fallback: a failed answer and the passed answer of the exam that is nearest to it. */
export type PairOrigin = "codeflow" | "fallback";

/** A pair of two answers of a problem; the sample_index of a repaired one is beyond the exam's. */
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
    const of = (chosen: Answer, rejected: Answer, origin: PairOrigin, versions: number): FocalPair[] => [
      { task_id, chosen, rejected, error_type: errorTypeOf(rejected, rule), origin, versions },
    ];
    if (passed(chain)) {
      const chosen = chain.steps.at(-1)!;
      if (chosen.ended === "length") return []; // never chosen
      const versions = [chain.failed, ...chain.steps.slice(0, -1)].filter(({ error_type }) => error_type !== "");
      const drawn = integer(seed, streamOf(`codeflow/rejected/${task_id}/${sample_index}`), 0, versions.length);
      return of(chosen, versions[drawn]!, "codeflow", versions.length);
    }
    const candidates = passedAnswers?.get(task_id) ?? [];
    return candidates.length === 0 ? [] : of(nearest(chain.failed, candidates), chain.failed, "fallback", 1);
  });
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
export function sameProgramRequest(a: string, b: string): JudgeRequest {
  const trees = [a, b].map((text) => `ast.dump(ast.parse(${JSON.stringify(text)}))`).join(" == ");
  const program = `import ast\n\ndef same():\n    return ${trees}\n`;
  return { taskId: "same", program, entryPoint: "same", tests: ["assert same() == True"], timeoutMs: 1000 };
}

/** What became of the failed answers: run.json's `codeflow`. */
export interface CodeflowYield {
  /** Failed answers that the model was to repair, and how many passed after each round. */
  failures: number;
  passedByRound: number[];
  /** Pairs by origin, after the filters. */
  pairs: Record<PairOrigin, number>;
  dropped: Record<string, number>;
}

export interface FocalPairInputs {
  readonly notebook: Notebook;
  readonly exam: readonly (readonly Answer[])[];
  readonly problems: readonly Problem[];
  readonly config: RunConfig;
  readonly student: Pick<Student, "compare" | "renderChat">;
  readonly judge: Judge;
  readonly sit: Sit;
}

/** Lets the model repair failed answers of the exam and makes pairs of what comes out, without those that the paper drops. */
export async function* focalPairs(inputs: FocalPairInputs): AsyncGenerator<RunEvent, { pairs: FocalPair[]; yields: CodeflowYield }> {
  const { config, student } = inputs;
  const failures = failuresOf(inputs);
  const chains = yield* repair(failures, { ...repairOptions(config), renderChat: student.renderChat }, inputs.sit);
  const made = pairsOfChains(chains, config.codeflow_fallback ? passedAnswersOf(inputs) : null, config);
  const reasons = await dropReasons(made, inputs);
  const pairs = made.filter((_, i) => reasons[i] === null);
  const passedBy = (round: number) => chains.filter((chain) => passed(chain) && chain.steps.length <= round).length;
  const yields = {
    failures: failures.length,
    passedByRound: Array.from({ length: config.codeflow_rounds }, (_, r) => passedBy(r + 1)),
    pairs: {
      codeflow: pairs.filter(({ origin }) => origin === "codeflow").length,
      fallback: pairs.filter(({ origin }) => origin === "fallback").length,
    },
    dropped: countEach(reasons.filter((reason) => reason !== null)),
  };
  return { pairs, yields };
}

/** Of each problem's failed answers so many as are to be repaired, drawn by the seed. */
function failuresOf({ notebook, exam, problems, config }: FocalPairInputs): { problem: Problem; failed: Answer }[] {
  const answers = byTask(exam);
  return notebook.problems.flatMap(({ task_id, failed }) => {
    const problem = problems.find(({ taskId }) => taskId === task_id)!;
    const some = shuffled(failed, config.seed, streamOf(`codeflow/${task_id}`)).slice(0, config.codeflow_n || failed.length);
    return some.map(({ sample_index }) => ({ problem, failed: answers.get(task_id)![sample_index]! }));
  });
}

function passedAnswersOf({ notebook, exam }: FocalPairInputs): Map<string, Answer[]> {
  const answers = byTask(exam);
  return new Map(notebook.problems.map(({ task_id, passed: indices }) => [task_id, indices.map((i) => answers.get(task_id)![i]!)]));
}

/** The exam's answers by task; each task's are in the order of their sample_index. */
function byTask(exam: FocalPairInputs["exam"]): Map<string, readonly Answer[]> {
  return new Map(exam.map((answers) => [answers[0]!.task_id, answers]));
}

/** Why each pair is dropped, or null. */
async function dropReasons(pairs: readonly FocalPair[], { problems, config, student, judge }: FocalPairInputs): Promise<(string | null)[]> {
  const same = await judge.judge(pairs.map(({ chosen, rejected }) => sameProgramRequest(chosen.solution, rejected.solution)));
  return pairs.map((pair, i) => {
    if (same[i]!.verdict === "pass") return "equal syntax trees";
    const problem = problems.find(({ taskId }) => taskId === pair.task_id)!;
    const { prompt } = questionOf(problem, config.prompt_style, student.renderChat);
    const { tokens } = student.compare({ prompt, chosen: pair.chosen.completion, rejected: pair.rejected.completion }, config.focal_diff);
    return dropReason(pair, tokens);
  });
}

function repairOptions(config: RunConfig): Omit<RepairOptions, "renderChat"> {
  return {
    rounds: config.codeflow_rounds,
    examN: config.exam_n,
    style: config.prompt_style,
    temperature: config.exam_temperature,
    maxNewTokens: config.max_new_tokens,
    timeoutMs: config.exam_timeout_ms,
    seed: config.seed,
  };
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
      width: versions,
      source: "window",
      probability: 1 / versions,
      origin,
    };
  };
  return { pairsPerEpoch: order.length, pairAt };
}
