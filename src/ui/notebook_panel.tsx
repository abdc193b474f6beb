import { useMemo } from "preact/hooks";
import { countOf } from "../counts.ts";
import type { Answer, Phase, Preference } from "../records.ts";
import { ComparedCode, SingleCode } from "./code_view.tsx";
import { errorLook } from "./error_types.ts";
import { FailureNote } from "./failure_note.tsx";
import { focusByLine, focusOf } from "./focus.ts";
import { type DistinctAnswer, listProblems, type Partner, type ProblemEntry, partnerOf, problemAnswers, titleOf } from "./notebook_view.ts";
import { Ribbon } from "./ribbon.tsx";
import { orderTypes, type RunState } from "./run_state.ts";
import { useSession } from "./session.ts";
import { TypeBadge } from "./type_badge.tsx";
import { VirtualList } from "./virtual_list.tsx";
import { whyPair } from "./why_pair.ts";

const PHASE_NAMES: Partial<Record<Phase, string>> = { before: "Before", exam: "Exam", after: "After" };
const PHASES: readonly Phase[] = ["before", "exam", "after"];

function phaseOf(run: RunState, wanted: Phase): Phase {
  if (run.answers[wanted]) return wanted;
  return PHASES.find((phase) => run.answers[phase]) ?? wanted;
}

function PhaseChoice({ run, phase }: { run: RunState; phase: Phase }) {
  const session = useSession();
  const there = PHASES.filter((entry) => run.answers[entry]);
  if (there.length < 2) return null;
  return (
    <fieldset class="segments" aria-label="Whose answers">
      {there.map((entry) => (
        <button type="button" key={entry} aria-pressed={entry === phase} onClick={() => session.board.select({ phase: entry })}>
          {PHASE_NAMES[entry]}
        </button>
      ))}
    </fieldset>
  );
}

function FollowChoice({ run }: { run: RunState }) {
  const session = useSession();
  if (run.steps.length === 0 || !session.busy.value) return null;
  const following = session.board.following.value;
  return (
    <button
      type="button"
      class="follow"
      aria-pressed={following}
      title="Open the pairs as they are trained"
      onClick={() => (session.board.following.value = !following)}
    >
      Follow training
    </button>
  );
}

/** So many types fit beside the notebook's title; the rarer ones are in a list. */
const TYPES_SHOWN = 7;

function TypeChoice({ run, phase, errorType }: { run: RunState; phase: Phase; errorType: string | null }) {
  const session = useSession();
  const counts = run.errorCounts[phase] ?? {};
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const types = orderTypes(counts, null);
  const shown = types.slice(0, TYPES_SHOWN);
  if (errorType !== null && !shown.includes(errorType)) shown.push(errorType);
  const hidden = types.filter((type) => !shown.includes(type));
  return (
    <fieldset class="types" aria-label="Error type">
      <button type="button" aria-pressed={errorType === null} onClick={() => session.board.select({ errorType: null })}>
        All <span class="count">{total}</span>
      </button>
      {shown.map((type) => {
        const look = errorLook(type);
        const count = countOf(counts, type);
        return (
          <button
            type="button"
            key={type}
            aria-pressed={type === errorType}
            aria-label={`${look.label}: ${count}`}
            title={`${look.label}: ${look.meaning}`}
            onClick={() => session.board.select({ errorType: type === errorType ? null : type })}
          >
            <TypeBadge errorType={type} />
            <span class="count">{count}</span>
          </button>
        );
      })}
      {hidden.length > 0 && (
        <select
          aria-label="Rarer error types"
          value=""
          onChange={(event) => session.board.select({ errorType: event.currentTarget.value })}
        >
          <option value="" disabled>
            {hidden.length} more
          </option>
          {hidden.map((type) => (
            <option key={type} value={type}>
              {errorLook(type).label} {countOf(counts, type)}
            </option>
          ))}
        </select>
      )}
    </fieldset>
  );
}

function ProblemList({ entries, open, phase }: { entries: ProblemEntry[]; open: string; phase: Phase }) {
  const session = useSession();
  return (
    <VirtualList
      label="Problems with such errors"
      items={entries}
      rowRem={PROBLEM_ROW_REM}
      keyOf={(entry) => entry.taskId}
      open={entries.findIndex((entry) => entry.taskId === open)}
      onOpen={(entry) => session.board.select({ phase, taskId: entry.taskId, errorType: session.board.selection.value.errorType })}
      row={(entry) => (
        <span class="problem">
          <span class="title">{entry.title}</span>
          <span class="caption">
            {entry.taskId} · {entry.failed} of {entry.failed + entry.passed} wrong
          </span>
        </span>
      )}
    />
  );
}

/** Two lines of a title and one of counts. */
const PROBLEM_ROW_REM = 3.7;

function partnerTitle(partner: Partner | null): string {
  if (!partner) return "No right answer to this problem yet";
  return partner.pair === null ? "Nearest right answer" : `Chosen instead, trained at step ${partner.pair.step}`;
}

interface AnswerPairProps {
  answer: Answer;
  passed: readonly DistinctAnswer[];
  pairs: readonly Preference[];
  repaired: readonly Answer[];
}

/** What the underlines mean; nothing where there is no place for them in the program. */
function FocusNote({ focus }: { focus: { failed: unknown[][] | null; all: boolean } }) {
  if (!focus.failed) return null;
  const drawn = focus.failed.some((line) => line.length > 0);
  return (
    <p class="caption focus-note">
      {drawn ? (
        <>
          <span class="focal">Underlined</span> in the code: what the focal loss counts
        </>
      ) : (
        "The focal loss counts the end of the failed answer"
      )}
      {focus.all ? "; of the right answer it counts everything." : " of either answer."}
    </p>
  );
}

function WhyPair({ pair, failed }: { pair: Preference; failed: number }) {
  return (
    <details class="why">
      <summary>Why this pair?</summary>
      <ul class="details-text">
        {whyPair(pair, failed).map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
    </details>
  );
}

/** What the focal loss counted of the pair that is shown. */
function focusShown({ pair, answer: right }: Partner, failed: Answer) {
  const focus = pair && focusOf(pair);
  if (!focus) return null;
  return {
    failed: focusByLine(failed.solution, failed.completion, focus.rejected),
    right: focus.chosen && focusByLine(right.solution, right.completion, focus.chosen),
    all: focus.chosen === null,
  };
}

function AnswerPair({ answer, passed, pairs, repaired }: AnswerPairProps) {
  // Finding the nearest answer compares texts: not in every picture of a run that goes on.
  const partner = useMemo(() => partnerOf(answer, passed, pairs, repaired), [answer, passed.length, pairs.length, repaired.length]);
  const focus = partner && focusShown(partner, answer);
  return (
    <div class={`pair ${partner ? "" : "alone"}`}>
      {focus && <FocusNote focus={focus} />}
      <h4 class="wrong">{partner?.pair ? "Rejected" : "Failed answer"}</h4>
      {partner ? (
        <>
          <h4 class="right">{partnerTitle(partner)}</h4>
          <ComparedCode
            failed={answer.solution}
            failingLine={answer.line}
            right={partner.answer.solution}
            {...(focus && { focus: { failed: focus.failed, right: focus.right } })}
          />
        </>
      ) : (
        <SingleCode code={answer.solution} failingLine={answer.line} />
      )}
    </div>
  );
}

function ProblemDetail({ run, phase, taskId }: { run: RunState; phase: Phase; taskId: string }) {
  const session = useSession();
  const { errorType, sampleIndex } = session.board.selection.value;
  const { failed, passed } = problemAnswers(run, phase, taskId, session.shown.value.method);
  const open =
    failed.find(({ answer }) => answer.sample_index === sampleIndex) ??
    failed.find(({ answer }) => errorType === null || answer.error_type === errorType) ??
    failed[0];
  if (!open) return <p class="detail caption">No failed answer here.</p>;
  const pairs = phase === "exam" ? run.pairs.get(taskId) : undefined;
  const trained = pairs?.find((pair) => pair.rejected_index === open.answer.sample_index);
  return (
    <article class="detail" aria-label={`Problem ${taskId}`}>
      <h3>{titleOf(open.answer.solution)}</h3>
      <Ribbon
        failed={failed}
        open={open.answer.sample_index}
        pairs={pairs ?? []}
        onOpen={(index) => session.board.select({ sampleIndex: index })}
      />
      <FailureNote answer={open.answer} />
      {trained && <WhyPair pair={trained} failed={failed.length} />}
      <AnswerPair answer={open.answer} passed={passed} pairs={pairs ?? []} repaired={run.answers.repair?.get(taskId) ?? []} />
    </article>
  );
}

function NotebookBody({ run, phase, errorType, taskId }: { run: RunState; phase: Phase; errorType: string | null; taskId: string | null }) {
  const entries = listProblems(run, phase, errorType);
  const open = entries.find((entry) => entry.taskId === taskId) ?? entries[0];
  if (!open) {
    const name = errorType === null ? "failed answer" : errorLook(errorType).label;
    const text = run.answers[phase] ? `No ${name} here.` : "The first judged answers appear here in a moment.";
    return <p class="blank caption">{text}</p>;
  }
  return (
    <div class="spread">
      <ProblemList entries={entries} open={open.taskId} phase={phase} />
      <ProblemDetail run={run} phase={phase} taskId={open.taskId} />
    </div>
  );
}

/** The error notebook: type, then problem, then answer. */
export function NotebookPanel() {
  const session = useSession();
  const run = session.board.run;
  const { errorType, taskId, phase: wanted } = session.board.selection.value;
  const phase = phaseOf(run, wanted);
  return (
    <section class="panel notebook" aria-labelledby="notebook-title">
      <div class="panel-head">
        <h2 id="notebook-title">Error notebook</h2>
        <TypeChoice run={run} phase={phase} errorType={errorType} />
        <FollowChoice run={run} />
        <PhaseChoice run={run} phase={phase} />
      </div>
      <NotebookBody run={run} phase={phase} errorType={errorType} taskId={taskId} />
    </section>
  );
}
