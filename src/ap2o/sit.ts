// A sitting: every problem is put to the student n times and every answer is judged, while the next ones are being written.
import type { Judge, JudgeRequest, Verdict } from "../python/judge.ts";
import { streamOf } from "../random.ts";
import type { Answer, Phase, RunEvent, Stage } from "../records.ts";
import type { Problem } from "../tasks/problem.ts";
import { type PromptStyle, type Question, questionOf } from "../tasks/prompt.ts";
import type { Student, Written } from "./student.ts";

export interface Sitting {
  readonly stage: Stage;
  readonly phase: Phase;
  readonly problems: readonly Problem[];
  /** Answers per problem. */
  readonly n: number;
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

/** Answers between two progress events. */
const PROGRESS_EVERY = 16;

type Outcome = { answers: Answer[] } | { error: unknown };

/**
 * Sits it, yielding progress and each answer, problem by problem in their order and n at a time; returns them by problem.
 * The judge works on a problem as soon as its last answer is written.
 * @param now a clock in ms
 */
export async function* sit(student: Student, judge: Judge, sitting: Sitting, now: () => number): AsyncGenerator<RunEvent, Answer[][]> {
  const { problems, n, stage, phase } = sitting;
  const questions = problems.map((problem) => questionOf(problem, sitting.style, student.renderChat));
  const asks = problems.flatMap(({ taskId }, p) =>
    Array.from({ length: n }, (_, i) => ({ prompt: questions[p]!.prompt, stream: streamOf(`${sitting.stream}/${taskId}/${i}`) })),
  );
  const written: Written[][] = problems.map(() => []);
  const outcomes: (Outcome | undefined)[] = problems.map(() => undefined);
  const judging: Promise<void>[] = [];
  const started = now();
  let done = 0;
  const progress = (): RunEvent => {
    const secondsLeft = done === 0 ? null : ((now() - started) / 1000 / done) * (asks.length - done);
    return { type: "stage", stage, phase, done, total: asks.length, secondsLeft };
  };

  yield progress();
  const all: Answer[][] = [];
  const { temperature, maxNewTokens, seed, trained } = sitting;
  const stop = questions[0]?.stop ?? [];
  for await (const one of student.write(asks, { temperature, maxNewTokens, seed, stop, trained })) {
    const p = Math.floor(one.index / n);
    written[p]!.push(one);
    done++;
    if (done % PROGRESS_EVERY === 0) yield progress();
    if (written[p]!.length < n) continue;
    judging[p] = judgeProblem(judge, sitting, problems[p]!, questions[p]!, written[p]!).then(
      (answers) => void (outcomes[p] = { answers }),
      (error: unknown) => void (outcomes[p] = { error }),
    );
    while (outcomes[all.length]) yield* tell(take(outcomes[all.length]!, all), all.length, sitting);
  }
  sitting.onWritten?.();
  yield progress();
  while (all.length < problems.length) {
    await judging[all.length];
    yield* tell(take(outcomes[all.length]!, all), all.length, sitting);
  }
  return all;
}

/** Adds the next problem's answers to `all`, or throws what the judge threw. */
function take(outcome: Outcome, all: Answer[][]): Answer[] {
  if ("error" in outcome) throw outcome.error;
  all.push(outcome.answers);
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
  written: readonly Written[],
): Promise<Answer[]> {
  const inOrder = [...written].sort((a, b) => a.index - b.index);
  const verdicts = await judge.judge(inOrder.map(({ text }) => judgeRequest(problem, question.program(text), sitting.timeoutMs)));
  return inOrder.map(({ text, ended }, i) => ({
    task_id: problem.taskId,
    phase: sitting.phase,
    sample_index: i,
    split: problem.split,
    solution: question.program(text),
    completion: text,
    ended,
    ...verdictFields(verdicts[i]!),
  }));
}

/** A program with its problem's tests, as the judge takes it. */
export function judgeRequest(problem: Problem, program: string, timeoutMs: number): JudgeRequest {
  const { taskId, entryPoint, setup, tests } = problem;
  return { taskId, program, entryPoint, ...(setup !== undefined && { setup }), tests, timeoutMs };
}

/** A verdict in the field names of results.jsonl. */
export function verdictFields(
  verdict: Verdict,
): Pick<Answer, "verdict" | "error_type" | "error_label" | "line" | "message" | "expected" | "got"> {
  const { errorType, errorLabel, line, message, expected, got } = verdict;
  return { verdict: verdict.verdict, error_type: errorType, error_label: errorLabel, line, message, expected, got };
}
