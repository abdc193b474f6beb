// A sitting: every problem is put to the student n times and every answer is judged, while the next ones are being written.
import type { Judge, JudgeRequest, Verdict } from "../python/judge.ts";
import { streamOf } from "../random.ts";
import type { Answer, Phase, RunEvent, Stage } from "../records.ts";
import type { Problem } from "../tasks/problem.ts";
import { type PromptStyle, type Question, questionOf } from "../tasks/prompt.ts";
import type { SittingState } from "./run_state.ts";
import type { Student, Written } from "./student.ts";

export interface Sitting {
  readonly stage: Stage;
  readonly phase: Phase;
  /** Recorded with each answer: a quiz comes again and again. */
  readonly step?: number;
  readonly problems: readonly Problem[];
  /** Answers per problem. */
  readonly n: number;
  /** What the problems are put as, one for one; by default as `style` has it. A problem may then come more than once. */
  readonly questions?: readonly Question[];
  /** sample_index of each problem's first answer, by default 0: it is part of the name of the answer's random stream. */
  readonly first?: readonly number[];
  readonly style: PromptStyle;
  readonly temperature: number;
  readonly maxNewTokens: number;
  readonly timeoutMs: number;
  readonly seed: number;
  /** First part of the names of the random streams: sittings of one name draw the same numbers. */
  readonly stream: string;
  /** The adapter on or off. */
  readonly trained: boolean;
  /** Where judging is a stage of its own: its progress is told as such. */
  readonly judgingStage?: Stage;
  /** Called when the last answer is written; some may still be with the judge. */
  readonly onWritten?: () => void;
}

/** A problem's judged answers, and the operations that they took: each answer's own, and those of a question once in a sitting. */
export interface JudgedProblem {
  readonly problem: number;
  readonly answers: Answer[];
  readonly flops: number;
}

/** Where a sitting stands, for who wants to go on with it another time. */
export interface SittingMemory {
  /** Problems that are known are told again, not asked again; those that come are added. */
  readonly state: SittingState;
  /** Called with each problem before its answers are told. */
  keep(judged: JudgedProblem): Promise<void>;
}

const forgetful = (): SittingMemory => ({ state: { answers: [], flops: 0 }, keep: async () => {} });

/** Answers between two progress events. */
const PROGRESS_EVERY = 16;

type Outcome = JudgedProblem | { error: unknown };

/**
 * Sits it, yielding progress and each answer, problem by problem in their order and n at a time; returns them by problem.
 * The judge works on a problem as soon as its last answer is written.
 * @param now a clock in ms
 * @param memory what is known of it already, and who keeps what comes
 */
export async function* sit(
  student: Student,
  judge: Judge,
  sitting: Sitting,
  now: () => number,
  memory: SittingMemory = forgetful(),
): AsyncGenerator<RunEvent, Answer[][]> {
  const { problems, n, stage, phase } = sitting;
  const all = memory.state.answers;
  const known = all.length;
  const questions = sitting.questions ?? problems.map((problem) => questionOf(problem, sitting.style, student.renderChat));
  const first = problems.map((_, p) => sitting.first?.[p] ?? 0);
  const prompts = questions.map(({ prompt }) => prompt);
  student.prepare(prompts, sitting.maxNewTokens);
  const firstAsked = new Map([...prompts.entries()].reverse().map(([p, prompt]) => [prompt, p]));
  const asks = problems.flatMap(({ taskId }, p) =>
    Array.from({ length: n }, (_, i) => ({
      prompt: questions[p]!.prompt,
      stream: streamOf(`${sitting.stream}/${taskId}/${first[p]! + i}`),
    })),
  );
  const written: Written[][] = problems.map(() => []);
  const outcomes: (Outcome | undefined)[] = problems.map(() => undefined);
  const judging: Promise<void>[] = [];
  const started = now();
  let done = known * n;
  const progress = (): RunEvent => {
    const here = done - known * n;
    const secondsLeft = here === 0 ? null : ((now() - started) / 1000 / here) * (asks.length - done);
    return { type: "stage", stage, phase, done, total: asks.length, secondsLeft };
  };

  yield progress();
  for (const [p, answers] of [...all].entries()) yield* tell(answers, p + 1, sitting);
  const { temperature, maxNewTokens, seed, trained } = sitting;
  const stop = questions[0]?.stop ?? [];
  for await (const one of student.write(asks.slice(known * n), { temperature, maxNewTokens, seed, stop, trained })) {
    const p = known + Math.floor(one.index / n);
    written[p]!.push(one);
    done++;
    if (done % PROGRESS_EVERY === 0) yield progress();
    if (written[p]!.length < n) continue;
    const reading = firstAsked.get(prompts[p]!) === p ? one.promptFlops : 0;
    const flops = written[p]!.reduce((sum, answer) => sum + answer.flops, reading);
    judging[p] = judgeProblem(judge, sitting, problems[p]!, questions[p]!, first[p]!, written[p]!).then(
      (answers) => void (outcomes[p] = { problem: p, answers, flops }),
      (error: unknown) => void (outcomes[p] = { error }),
    );
    while (outcomes[all.length]) yield* tell(await take(outcomes[all.length]!, memory), all.length, sitting);
  }
  sitting.onWritten?.();
  yield progress();
  while (all.length < problems.length) {
    await judging[all.length];
    yield* tell(await take(outcomes[all.length]!, memory), all.length, sitting);
  }
  return all;
}

/** Adds the next problem's answers to what is known, or throws what the judge threw. */
async function take(outcome: Outcome, { state, keep }: SittingMemory): Promise<Answer[]> {
  if ("error" in outcome) throw outcome.error;
  await keep(outcome);
  state.answers.push(outcome.answers);
  state.flops += outcome.flops;
  return outcome.answers;
}

function* tell(answers: readonly Answer[], judged: number, { judgingStage, phase, problems, n }: Sitting): Generator<RunEvent> {
  for (const answer of answers) yield { type: "answer", answer };
  if (judgingStage) yield { type: "stage", stage: judgingStage, phase, done: judged * n, total: problems.length * n, secondsLeft: null };
}

async function judgeProblem(
  judge: Judge,
  sitting: Sitting,
  problem: Problem,
  question: Question,
  first: number,
  written: readonly Written[],
): Promise<Answer[]> {
  const inOrder = [...written].sort((a, b) => a.index - b.index);
  const verdicts = await judge.judge(inOrder.map(({ text }) => judgeRequest(problem, question.program(text), sitting.timeoutMs)));
  return inOrder.map(({ text, ended }, i) => ({
    task_id: problem.taskId,
    phase: sitting.phase,
    ...(sitting.step !== undefined && { step: sitting.step }),
    sample_index: first + i,
    split: problem.split,
    solution: question.program(text),
    completion: text,
    ended,
    ...verdictFields(verdicts[i]!),
  }));
}

/** A program with its problem's tests, as the judge takes it. */
export function judgeRequest(problem: Problem, program: string, timeoutMs: number): JudgeRequest {
  const { taskId, entryPoint, prelude, setup, tests, suite, testTimeoutMs } = problem;
  const more = {
    ...(prelude !== undefined && { prelude }),
    ...(setup !== undefined && { setup }),
    ...(suite !== undefined && { suite }),
    ...(testTimeoutMs !== undefined && { testTimeoutMs }),
  };
  return { taskId, program, entryPoint, tests, timeoutMs, ...more };
}

/** A verdict in the field names of results.jsonl. */
export function verdictFields(
  verdict: Verdict,
): Pick<Answer, "verdict" | "error_type" | "error_label" | "line" | "message" | "expected" | "got"> {
  const { errorType, errorLabel, line, message, expected, got } = verdict;
  return { verdict: verdict.verdict, error_type: errorType, error_label: errorLabel, line, message, expected, got };
}
