// The records of a run: the lines of its files and the events it tells the outside. Plain data that the method writes, the
// command line prints and the page draws; it imports nothing, so that each of them may import it.

export type Stage = "exam" | "analysis" | "correction" | "quiz" | "evaluation";
export type Phase = "exam" | "repair" | "quiz" | "before" | "after" | "after_last";

/** One judged answer: a line of samples.jsonl and of results.jsonl together. */
export interface Answer {
  task_id: string;
  phase: Phase;
  /** After which optimiser step, where the phase is quiz. (The first version's files have no answers of quizzes.) */
  step?: number;
  sample_index: number;
  split: string;
  /** The whole program and what the model wrote. */
  solution: string;
  completion: string;
  /** Why sampling ended. */
  ended: "stop" | "end_token" | "length";
  verdict: string;
  error_type: string;
  error_label: string;
  line: number | null;
  message: string;
  expected: string | null;
  got: string | null;
}

export interface NotebookProblem {
  task_id: string;
  counts: Record<string, number>;
  passed: number[];
  failed: { sample_index: number; error_type: string }[];
}

/** notebook.json */
export interface Notebook {
  rule: "paper" | "reference";
  scope: "problem" | "corpus";
  counts: Record<string, number>;
  problems: NotebookProblem[];
  /** Problems that are not trained on, with their failed answers all the same. (The first version's files have reasons alone.) */
  dropped: ({ task_id: string; reason: string } & Partial<Pick<NotebookProblem, "counts" | "failed">>)[];
}

/** A line of preferences.jsonl: one trained pair. */
export interface Preference {
  step: number;
  task_id: string;
  prompt: string;
  chosen: string;
  rejected?: string;
  chosen_index: number;
  rejected_index?: number;
  chosen_ended: string;
  rejected_ended?: string;
  error_type: string;
  epoch: number;
  /** [from, to) in the method's own order of the problem's failed answers. */
  window: [number, number];
  source: "window" | "replay";
  /** Probability with which this rejected answer was drawn. */
  probability: number;
  /** The window's width before it was rounded to indices: failed answers / epochs for AP2O, all of them for the others. */
  width?: number;
  /** Seed of the run and number of the pair, from 0: every draw of this pair is a function of these two. (The first version's files lack it, and width.) */
  seed?: number;
  pair?: number;
  /** IterPref: how the pair was made, and per token of the answer 1 where the focal loss counts it (chosen: symmetric masking only). */
  origin?: "codeflow" | "fallback";
  rejected_mask?: number[];
  chosen_mask?: number[];
  /** The same as places [from, to) in the answer's text. */
  rejected_focus?: [number, number][];
  chosen_focus?: [number, number][];
}

/** A line of metrics.jsonl: TRL's names plus step, epoch, tokens_per_second. */
export interface StepMetrics {
  step: number;
  epoch: number;
  loss: number;
  grad_norm: number;
  learning_rate: number;
  entropy: number;
  num_tokens: number;
  "logits/chosen"?: number;
  "logits/rejected"?: number;
  mean_token_accuracy: number;
  "rewards/chosen"?: number;
  "rewards/rejected"?: number;
  "rewards/margins"?: number;
  "rewards/accuracies"?: number;
  "logps/chosen"?: number;
  "logps/rejected"?: number;
  /** Where the update was skipped: the first tensor with NaN or infinity in it. */
  bad_tensor?: string;
  tokens_per_second: number;
}

/** A line of quizzes.jsonl. */
export interface QuizResult {
  step: number;
  "pass@1": number;
  errors: Record<string, number>;
  /** Share of each error type in the replay draws until the next quiz; empty before the first quiz that counts. */
  replay: Record<string, number>;
}

export interface EvaluationResult {
  "pass@1": number;
  "pass@5"?: number;
  "pass@10"?: number;
  /** pass@k for k = 1 to n. (The first version's files lack it, and the interval.) */
  curve?: number[];
  /** Of pass@1: 95 % by bootstrap over the problems. */
  interval?: [number, number];
  n: number;
  problems: number;
  errors: Record<string, number>;
}

export type RunEvent =
  /** A stage began, moved on (done of total units: answers, problems, steps), with seconds left where known. */
  | { type: "stage"; stage: Stage; phase: Phase | null; done: number; total: number; secondsLeft: number | null }
  | { type: "answer"; answer: Answer }
  | { type: "notebook"; notebook: Notebook }
  | { type: "step"; steps: number; metrics: StepMetrics; pairs: Preference[] }
  | { type: "quiz"; quiz: QuizResult; best: boolean }
  | { type: "evaluation"; phase: "before" | "after" | "after_last"; result: EvaluationResult }
  | { type: "warning"; message: string }
  /** `run` is the content of run.json. */
  | { type: "finished"; run: Record<string, unknown> };
