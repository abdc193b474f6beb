// CodeFlow: the model repairs its own failed answers, with the error message in the prompt, until the tests pass or the rounds are
// over. The paper (IterPref) has a large model repair; here the student does it itself.
import type { Answer, RunEvent } from "../records.ts";
import type { Problem } from "../tasks/problem.ts";
import { type RenderChat, repairQuestionOf } from "../tasks/prompt.ts";
import type { Sitting } from "./sit.ts";

/** A failed answer of the exam and what was made of it, round by round; the last step passed, or the rounds are over. */
export interface Chain {
  readonly problem: Problem;
  readonly failed: Answer;
  readonly steps: Answer[];
}

export interface RepairOptions extends Pick<Sitting, "style" | "temperature" | "maxNewTokens" | "timeoutMs" | "seed"> {
  readonly rounds: number;
  /** Answers per problem in the exam: repaired answers are numbered on from there. */
  readonly examN: number;
  readonly renderChat: RenderChat;
}

/** Puts a sitting of a name of its own to the student: sit(), or a run's resumable form of it. */
export type Sit = (name: string, sitting: Sitting) => AsyncGenerator<RunEvent, Answer[][]>;

/** Characters of a message that are shown to the model: the value that a test got may be long. */
const MESSAGE_CHARACTERS = 200;

/** sample_index of a repaired answer: its exam answer and its round (from 1) can be read off it. */
export function repairIndex(failedIndex: number, round: number, { examN, rounds }: Pick<RepairOptions, "examN" | "rounds">): number {
  return examN + failedIndex * rounds + round - 1;
}

/** Which answer of the exam a repaired one goes back to. */
export function repairedFrom(repairedIndex: number, { examN, rounds }: Pick<RepairOptions, "examN" | "rounds">): number {
  return Math.floor((repairedIndex - examN) / rounds);
}

/** What Python said of a failed answer, in one line. */
export function errorText({ verdict, error_type, message, expected, got }: Answer): string {
  const said = verdict === "wrong_answer" && expected !== null && got !== null ? `expected ${expected}, got ${got}` : message;
  const text = said === "" || said.startsWith(error_type) ? said || error_type : `${error_type}: ${said}`;
  return text.replace(/\s*\n\s*/g, " ").slice(0, MESSAGE_CHARACTERS);
}

export function passed(chain: Chain): boolean {
  return chain.steps.at(-1)?.verdict === "pass";
}

/** Repairs failed answers, all chains a round at a time; tells every repaired answer (phase "repair"). */
export async function* repair(
  failures: readonly { problem: Problem; failed: Answer }[],
  options: RepairOptions,
  sit: Sit,
): AsyncGenerator<RunEvent, Chain[]> {
  const chains = failures.map(({ problem, failed }): Chain => ({ problem, failed, steps: [] }));
  for (let round = 1; round <= options.rounds; round++) {
    const open = chains.filter((chain) => !passed(chain));
    if (open.length === 0) break;
    const answers = yield* sit(`repair/${round}`, repairSitting(open, round, options));
    for (const [i, chain] of open.entries()) chain.steps.push(answers[i]![0]!);
  }
  return chains;
}

/** One more version of each chain's answer. */
function repairSitting(chains: readonly Chain[], round: number, { renderChat, ...options }: RepairOptions): Sitting {
  const questions = chains.map(({ problem, failed, steps }) => {
    const last = steps.at(-1) ?? failed;
    const shown = { completion: last.completion, program: last.solution, error: errorText(last) };
    return repairQuestionOf(problem, options.style, renderChat, shown);
  });
  const { style, temperature, maxNewTokens, timeoutMs, seed } = options;
  return {
    ...{ style, temperature, maxNewTokens, timeoutMs, seed, questions, n: 1, trained: false },
    ...{ stage: "exam", phase: "repair", stream: "repair" },
    problems: chains.map(({ problem }) => problem),
    first: chains.map(({ failed }) => repairIndex(failed.sample_index, round, options)),
  };
}
