// A problem as the exam sees it. Formats found in the wild are read into this one shape by src/tasks/formats.ts.

export type Split = "train" | "validation" | "evaluation";

export interface Problem {
  /** Canonical id: "Demo/12", "Mbpp/2", "HumanEval/0". */
  readonly taskId: string;
  /** What the model is shown. For function problems it ends with the `def` line (and docstring), so that prompt + completion is the program. */
  readonly prompt: string;
  /** The task in plain words, where the format has it apart from the prompt (MBPP). */
  readonly text?: string;
  /** The beginning of the program that the format gives apart from the prompt (LiveCodeBench's class and method). */
  readonly starter?: string;
  /** Name of the function (or class) that the tests call; "" where the whole program is run. */
  readonly entryPoint: string;
  /** Python that the answers may take as given: it runs in the answer's module before the answer (LiveCodeBench's imports). */
  readonly prelude?: string;
  /** Python test statements, one per entry, most often `assert f(x) == y`; none where there is a suite. */
  readonly tests: readonly string[];
  /** Tests that are no statements. */
  readonly suite?: Suite;
  /** Time allowed for each test, in ms, where the format says so; otherwise the time is for all of them together. */
  readonly testTimeoutMs?: number;
  /** Python that runs before the tests (imports, fixtures). */
  readonly setup?: string;
  /** A right program, whole. */
  readonly solution?: string;
  readonly split: Split;
}

export type Suite = ProgramSuite | EvalPlusSuite;

/** Programs that read standard input: what they print is compared line by line, trailing space aside. */
export interface ProgramSuite {
  readonly kind: "programs";
  readonly cases: readonly { readonly stdin: string /** Any of these will do. */; readonly accepted: readonly string[] }[];
  /** Lines that differ as text are equal when they hold the same decimal numbers, as LiveCodeBench has it. */
  readonly numbersByValue: boolean;
}

/**
 * How EvalPlus compares an answer's result with the reference's: as equal, as equal sets, only None or not, not at all, or also 0;
 * "alternative": equal to what another function gives; "root": the polynomial of the argument is about 0 there.
 */
export type EvalPlusOracle = "equal" | "set" | "not_none" | "anything" | "or_zero" | "alternative" | "root";

/** Inputs whose right outputs are those of a reference solution, run in the sandbox once. */
export interface EvalPlusSuite {
  readonly kind: "evalplus";
  /** The canonical solution, whole. */
  readonly reference: string;
  /** For the oracle "alternative", Python that defines errata_alternative: what else is accepted; "" otherwise. */
  readonly alternative: string;
  /** Arguments of one call each, as Python source: "[1, 2], 3". */
  readonly base: readonly string[];
  readonly plus: readonly string[];
  readonly atol: number;
  readonly oracle: EvalPlusOracle;
}
