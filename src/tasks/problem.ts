// A problem as the exam sees it. Formats found in the wild are read into this one shape by src/tasks/formats.ts.

export type Split = "train" | "validation" | "evaluation";

export interface Problem {
  /** Canonical id: "Demo/12", "Mbpp/2", "HumanEval/0". */
  readonly taskId: string;
  /** What the model is shown. For function problems it ends with the `def` line (and docstring), so that prompt + completion is the program. */
  readonly prompt: string;
  /** The task in plain words, where the format has it apart from the prompt (MBPP). */
  readonly text?: string;
  /** Name of the function (or class) that the tests call. */
  readonly entryPoint: string;
  /** Python test statements, one per entry, most often `assert f(x) == y`. */
  readonly tests: readonly string[];
  /** Python that runs before the tests (imports, fixtures). */
  readonly setup?: string;
  /** A right program, whole. */
  readonly solution?: string;
  readonly split: Split;
}
