import { useEffect, useRef } from "preact/hooks";
import { errorLook } from "../error_types.ts";
import { RECORDINGS } from "../recorded/recordings.ts";
import { orderTypes } from "../run_state.ts";
import { type Session, useSession } from "../session.ts";
import { TypeBadge } from "../type_badge.tsx";
import { fellFirst } from "./lesson.ts";
import { LESSONS, type LessonStep } from "./lessons.ts";

/** A type of which there are fewer before training says little about how it falls. */
const LEAST = 10;

/** Error counts of the recorded run's evaluation, before and after: what is guessed and what came. */
function outcome(session: Session): { before: Record<string, number>; after: Record<string, number> } | null {
  const { before, after } = session.screening.player.value?.archive.record ?? {};
  return before && after ? { before: before.errors, after: after.errors } : null;
}

function Guess() {
  const session = useSession();
  const counts = outcome(session)?.before ?? session.board.run.errorCounts.exam ?? {};
  const types = orderTypes(counts, null).filter((type) => counts[type] >= LEAST);
  return (
    <fieldset class="guess">
      <legend>Which falls first?</legend>
      {types.map((type) => (
        <button
          type="button"
          class="choice"
          key={type}
          aria-pressed={session.lesson.guess.value === type}
          onClick={() => (session.lesson.guess.value = type)}
        >
          <TypeBadge errorType={type} /> {errorLook(type).label}
        </button>
      ))}
    </fieldset>
  );
}

function Answer() {
  const session = useSession();
  const counts = outcome(session);
  const fell = counts && fellFirst(counts.before, counts.after, LEAST);
  if (!counts || !fell) return null;
  const guess = session.lesson.guess.value;
  const lost = (type: string) => `${counts.before[type] ?? 0} → ${counts.after[type] ?? 0}`;
  return (
    <p class="answer">
      <TypeBadge errorType={fell} /> <strong>{errorLook(fell).label}</strong> fell furthest: {lost(fell)}.{" "}
      {guess === null
        ? "You made no guess."
        : guess === fell
          ? "That is what you said."
          : `You said ${errorLook(guess).label}: ${lost(guess)}.`}
    </p>
  );
}

/** Brings the page to what a step is about. */
async function enter(session: Session, step: LessonStep): Promise<void> {
  const recording = RECORDINGS.find(({ id }) => id === step.plays);
  session.configure({ view: step.view, ...(step.compares && { compare: step.compares }) });
  if (recording && !session.busy.value) {
    await session.playRecording(recording);
    session.screening.player.value?.toTheExam();
    if (step.shows.includes("playback")) session.screening.player.value?.play();
  } else if (step.answers) session.screening.player.value?.toTheEnd();
}

/** Text, question and the way through a lesson. */
export function LessonPanel() {
  const session = useSession();
  const { lesson } = session;
  const step = lesson.step.value;
  const title = useRef<HTMLHeadingElement>(null);
  const place = lesson.place.value;
  useEffect(() => {
    if (step) void enter(session, step);
    if (place > 0) title.current?.focus();
  }, [place]);
  if (!step) return null;
  const last = place === lesson.steps.value.length - 1;
  const leave = () => {
    lesson.name.value = null;
    session.configure({ lesson: null, view: "run" });
  };
  return (
    <section class="panel lesson-panel" aria-labelledby="lesson-title">
      <div class="lesson-head">
        <h1>
          {LESSONS.find(({ name }) => name === lesson.name.value)?.title} · {place + 1} of {lesson.steps.value.length}
        </h1>
        <button type="button" class="quiet" onClick={leave}>
          Leave the lesson
        </button>
      </div>
      <h2 id="lesson-title" tabIndex={-1} ref={title}>
        {step.title}
      </h2>
      <div class="lesson-text">
        {step.text.map((paragraph) => (
          <p key={paragraph}>{paragraph}</p>
        ))}
        {step.asks && <Guess />}
        {step.answers && <Answer />}
      </div>
      <div class="lesson-moves">
        <button type="button" disabled={place === 0} onClick={() => (lesson.place.value -= 1)}>
          Back
        </button>
        <button
          type="button"
          class="primary"
          disabled={step.asks !== undefined && lesson.guess.value === null}
          onClick={() => (last ? leave() : (lesson.place.value += 1))}
        >
          {last ? "Leave the lesson" : "Next"}
        </button>
      </div>
    </section>
  );
}
