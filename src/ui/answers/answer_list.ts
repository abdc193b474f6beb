// The answers of a run as one list that can be narrowed down.
import type { Answer, Phase } from "../../records.ts";
import type { RunState } from "../run_state.ts";

export interface AnswerFilter {
  phase: Phase;
  /** "" any, "pass" the right ones, else a raw error type. */
  outcome: string;
  /** Part of the task's id or of the program, in any case. */
  text: string;
}

/** Phases that the run has answers of, in the order in which they are read. */
export function phasesOf(run: RunState): Phase[] {
  const order: readonly Phase[] = ["exam", "repair", "before", "after", "after_last", "quiz"];
  return order.filter((phase) => run.answers[phase]);
}

/** The answers that pass the filter, problem by problem, in the order in which they came. */
export function filterAnswers(run: RunState, { phase, outcome, text }: AnswerFilter): Answer[] {
  const sought = text.trim().toLowerCase();
  const found: Answer[] = [];
  for (const answers of run.answers[phase]?.values() ?? []) {
    for (const answer of answers) {
      if (outcome === "pass" ? answer.verdict !== "pass" : outcome !== "" && answer.error_type !== outcome) continue;
      if (sought === "" || answer.task_id.toLowerCase() === sought || matches(answer, sought)) found.push(answer);
    }
  }
  return found;
}

function matches({ task_id, solution }: Answer, sought: string): boolean {
  return `${task_id} `.toLowerCase().startsWith(`${sought} `) || solution.toLowerCase().includes(sought);
}

/** The program without what the model wrote: what it went on from. null where it was asked in another way (as in a chat). */
export function promptOf({ solution, completion }: Answer): string | null {
  return completion !== "" && solution.endsWith(completion) ? solution.slice(0, solution.length - completion.length) : null;
}
