// What the rest of Errata knows of the sandbox: programs go in, exactly one verdict per program comes out.
import type { Suite } from "../tasks/problem.ts";

/** One program to judge: it is executed, then its tests run against it. */
export interface JudgeRequest {
  readonly taskId: string;
  /** The whole program (prompt + completion). */
  readonly program: string;
  readonly entryPoint: string;
  /** Python that runs in the program's module before it. */
  readonly prelude?: string;
  /** Python that runs before the tests. */
  readonly setup?: string;
  readonly tests: readonly string[];
  /** Tests that are no statements; then `tests` is empty. Requests for one problem share the object. */
  readonly suite?: Suite;
  /** Time allowed for the program and all its tests together, in ms. */
  readonly timeoutMs: number;
  /** Time allowed for each test, in place of timeoutMs; for EvalPlus's problems the least that a test is allowed. */
  readonly testTimeoutMs?: number;
}

export type VerdictKind =
  | "pass"
  | "wrong_answer"
  | "runtime_error"
  | "syntax_error"
  | "timeout"
  | "memory_limit"
  | "exit"
  | "crash"
  | "no_entry_point"
  | "output_limit"
  | "infra_error";

export interface Verdict {
  readonly verdict: VerdictKind;
  /** Raw Python class ("AssertionError", "TimeoutError" ...: method.md's mapping); "" when passed or infra_error. */
  readonly errorType: string;
  /** Label shown to people: as errorType, but "WrongResult" for a failed comparison; "" when passed. */
  readonly errorLabel: string;
  /** 1-based line of the program where it failed, or null. */
  readonly line: number | null;
  readonly message: string;
  /** Index into `tests` of the first failing test, or null. */
  readonly test: number | null;
  /** Python repr of what the failing test expected and got, or null. */
  readonly expected: string | null;
  readonly got: string | null;
  readonly stderrTail: string;
  /** True when a test could not be split and ran inside the interpreter. */
  readonly inside: boolean;
  readonly seconds: number;
  /** Of a timeout: how long past its limit the run was ended. */
  readonly overrunSeconds?: number;
  /** Of EvalPlus's problems: the verdicts on the base tests and on the plus tests, each judged for itself. */
  readonly parts?: { readonly base: VerdictKind; readonly plus: VerdictKind };
  /** Judged a second time in a fresh interpreter, as one batch verdict in a hundred is, and what the batch had said if it was something else. */
  readonly rejudged?: { readonly disagreed: VerdictKind | null };
}

export interface JudgeOptions {
  /** "batch" reuses interpreters between answers (restored and checked), "fresh" takes a new one each. Default "batch". */
  readonly isolation?: "batch" | "fresh";
  /** Called with each verdict as it is known, in any order. */
  readonly onVerdict?: (index: number, verdict: Verdict) => void;
  readonly signal?: AbortSignal;
}

export interface Judge {
  /** Judges all requests; verdicts come back in the requests' order. */
  judge(requests: readonly JudgeRequest[], options?: JudgeOptions): Promise<Verdict[]>;
  close(): Promise<void>;
}
