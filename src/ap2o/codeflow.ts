// CodeFlow: the model repairs its own failed answers, with the error message in the prompt, until the tests pass or the rounds are
// over. The paper (IterPref) has a large model repair; here the student does it itself.
import type { Judge } from "../python/judge.ts";
import { streamOf } from "../random.ts";
import type { Answer, RunEvent } from "../records.ts";
import type { Problem } from "../tasks/problem.ts";
import { type PromptStyle, questionOf, repairQuestionOf } from "../tasks/prompt.ts";
import { judgeRequest, verdictFields } from "./sit.ts";
import type { Student, Written } from "./student.ts";

/** A failed answer of the exam and what was made of it, round by round; the last step passed, or the rounds are over. */
export interface Chain {
  readonly problem: Problem;
  readonly failed: Answer;
  readonly steps: Answer[];
}

export interface RepairOptions {
  readonly rounds: number;
  /** Answers per problem in the exam: repaired answers are numbered on from there. */
  readonly examN: number;
  readonly style: PromptStyle;
  readonly temperature: number;
  readonly maxNewTokens: number;
  readonly timeoutMs: number;
  readonly seed: number;
}

/** Characters of a message that are shown to the model: the value that a test got may be long. */
const MESSAGE_CHARACTERS = 200;

/** sample_index of a repaired answer: its exam answer and its round (from 1) can be read off it. */
export function repairIndex(failedIndex: number, round: number, { examN, rounds }: Pick<RepairOptions, "examN" | "rounds">): number {
  return examN + failedIndex * rounds + round - 1;
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

/**
 * Repairs failed answers, all chains a round at a time; yields progress and every repaired answer (phase "repair").
 * @param known repaired answers of an earlier, interrupted sitting, by task and sample_index: they are not written again
 * @param now a clock in ms
 */
export async function* repair(
  student: Student,
  judge: Judge,
  failures: readonly { problem: Problem; failed: Answer }[],
  options: RepairOptions,
  known: ReadonlyMap<string, Answer>,
  now: () => number,
): AsyncGenerator<RunEvent, Chain[]> {
  const chains = failures.map(({ problem, failed }): Chain => ({ problem, failed, steps: [] }));
  const started = now();
  for (let round = 1; round <= options.rounds; round++) {
    const open = chains.filter((chain) => !passed(chain));
    yield progress(round - 1, options.rounds, chains, now() - started);
    const missing: Chain[] = [];
    for (const chain of open) {
      const index = repairIndex(chain.failed.sample_index, round, options);
      const answer = known.get(`${chain.failed.task_id} ${index}`);
      if (answer) chain.steps.push(answer);
      else missing.push(chain);
    }
    if (missing.length === 0) continue;
    for (const [i, answer] of (await repairOnce(student, judge, missing, round, options)).entries()) {
      missing[i]!.steps.push(answer);
      yield { type: "answer", answer };
    }
  }
  yield progress(options.rounds, options.rounds, chains, now() - started);
  return chains;
}

/** One more version of each chain's answer, judged. */
async function repairOnce(
  student: Student,
  judge: Judge,
  chains: readonly Chain[],
  round: number,
  options: RepairOptions,
): Promise<Answer[]> {
  const questions = chains.map(({ problem, failed, steps }) => {
    const last = steps.at(-1) ?? failed;
    const shown = { completion: last.completion, program: last.solution, error: errorText(last) };
    return repairQuestionOf(problem, options.style, student.renderChat, shown);
  });
  const asks = chains.map(({ problem, failed }, i) => ({
    prompt: questions[i]!.prompt,
    stream: streamOf(`repair/${problem.taskId}/${failed.sample_index}/${round}`),
  }));
  const { temperature, maxNewTokens, seed, style, timeoutMs } = options;
  const { stop } = questionOf(chains[0]!.problem, style, student.renderChat);
  const written: Written[] = [];
  for await (const one of student.write(asks, { temperature, maxNewTokens, seed, stop, trained: false })) written[one.index] = one;
  const programs = written.map(({ text }, i) => questions[i]!.program(text));
  const verdicts = await judge.judge(programs.map((program, i) => judgeRequest(chains[i]!.problem, program, timeoutMs)));
  return chains.map(({ problem, failed }, i) => ({
    task_id: problem.taskId,
    phase: "repair",
    sample_index: repairIndex(failed.sample_index, round, options),
    split: problem.split,
    solution: programs[i]!,
    completion: written[i]!.text,
    ended: written[i]!.ended,
    ...verdictFields(verdicts[i]!),
  }));
}

function progress(round: number, rounds: number, chains: readonly Chain[], ms: number): RunEvent {
  const done = chains.filter(passed).length + (round === rounds ? chains.length - chains.filter(passed).length : 0);
  const secondsLeft = round === 0 ? null : (ms / 1000 / round) * (rounds - round);
  return { type: "stage", stage: "exam", phase: "repair", done, total: chains.length, secondsLeft };
}
