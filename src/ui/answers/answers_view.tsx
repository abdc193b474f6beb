import { type Signal, useComputed, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { messageOf } from "../../input_error.ts";
import type { Answer } from "../../records.ts";
import type { Score } from "../../worker/protocol.ts";
import { SingleCode } from "../code_view.tsx";
import { errorLook } from "../error_types.ts";
import { FailureNote } from "../failure_note.tsx";
import { EMBEDDED_MODEL } from "../machine/workbench.ts";
import { titleOf } from "../notebook_view.ts";
import { metricText } from "../number_text.ts";
import { orderTypes } from "../run_state.ts";
import { type Session, useSession } from "../session.ts";
import { TypeBadge } from "../type_badge.tsx";
import { VirtualList } from "../virtual_list.tsx";
import { type AnswerFilter, filterAnswers, phasesOf, promptOf } from "./answer_list.ts";

const PHASE_NAMES = { exam: "Exam", repair: "Repair", before: "Before", after: "After", after_last: "After the last step", quiz: "Quiz" };

function Filters({ filter, count }: { filter: Signal<AnswerFilter>; count: number }) {
  const { run } = useSession().board;
  const { phase, outcome, text } = filter.value;
  const change = (part: Partial<AnswerFilter>) => (filter.value = { ...filter.value, ...part });
  return (
    <fieldset class="filters" aria-label="Which answers">
      <label>
        <span class="unseen">Sitting</span>
        <select
          class="filter"
          value={phase}
          onChange={(event) => change({ phase: phasesOf(run).find((entry) => entry === event.currentTarget.value) ?? phase })}
        >
          {phasesOf(run).map((entry) => (
            <option key={entry} value={entry}>
              {PHASE_NAMES[entry]}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span class="unseen">Outcome</span>
        <select class="filter" value={outcome} onChange={(event) => change({ outcome: event.currentTarget.value })}>
          <option value="">All outcomes</option>
          <option value="pass">Right</option>
          {orderTypes(run.errorCounts[phase] ?? {}, null).map((type) => (
            <option key={type} value={type}>
              {errorLook(type).label}
            </option>
          ))}
        </select>
      </label>
      <input
        type="search"
        class="filter"
        aria-label="Search in tasks and programs"
        placeholder="Search tasks and programs"
        value={text}
        onInput={(event) => change({ text: event.currentTarget.value })}
      />
      <p class="caption" role="status">
        {count.toLocaleString("en-US")} {count === 1 ? "answer" : "answers"}
      </p>
    </fieldset>
  );
}

function AnswerRow({ answer }: { answer: Answer }) {
  return (
    <>
      {answer.error_type === "" ? (
        <span class="badge right-badge" role="img" aria-label="right">
          ✓
        </span>
      ) : (
        <TypeBadge errorType={answer.error_type} />
      )}
      <span class="title">{titleOf(answer.solution)}</span>
      <span class="caption">
        {answer.task_id} · {answer.sample_index + 1}
      </span>
    </>
  );
}

function keyOf(answer: Answer): string {
  return `${answer.phase} ${answer.step} ${answer.task_id} ${answer.sample_index}`;
}

/** Why the model cannot be asked now; null where it can. */
function whyNot(session: Session): string | null {
  if (session.workbench.model.value) return null;
  return session.failure.value ? "This needs a GPU: the recorded run has no model to ask." : "The model is being loaded.";
}

interface ScoredAnswer {
  base: Score;
  trained: Score | null;
}

/** Log-probabilities of the answer, token by token, without and with the chosen adapter. */
function Logps({ answer }: { answer: Answer }) {
  const session = useSession();
  const scored: Signal<ScoredAnswer | null> = useSignal(null);
  const failure = useSignal<string | null>(null);
  useEffect(() => {
    scored.value = null;
    failure.value = null;
  }, [keyOf(answer)]);
  const adapter = session.workbench.adapters.value.at(-1);
  const prompt = promptOf(answer);
  const missing = prompt === null ? "The run does not keep the chat in which this was asked." : whyNot(session);
  const compute = async () => {
    if (prompt === null) return;
    try {
      const base = await session.workbench.score(prompt, answer.completion, null);
      scored.value = { base, trained: adapter ? await session.workbench.score(prompt, answer.completion, adapter.id) : null };
    } catch (error) {
      failure.value = messageOf(error);
    }
  };
  const { value } = scored;
  return (
    <section class="logps" aria-label="Log-probabilities">
      <div class="panel-head">
        <button type="button" disabled={missing !== null} onClick={compute}>
          How likely is it?
        </button>
        <p class="caption">
          {missing ??
            (adapter ? `Log-probability of each token: model alone, and with ${adapter.name}.` : "Log-probability of each token.")}
        </p>
      </div>
      {failure.value && <p role="alert">{failure.value}</p>}
      {value && (
        <>
          <p>
            Whole answer: <strong>{metricText(value.base.total)}</strong>
            {value.trained && (
              <>
                {" "}
                → <strong>{metricText(value.trained.total)}</strong> with the adapter
              </>
            )}
          </p>
          <p class="tokens">
            {value.base.tokens.map(({ text, logp }, index) => {
              const now = value.trained?.tokens[index]?.logp ?? logp;
              const title = `${metricText(logp)}${value.trained ? ` → ${metricText(now)}` : ""}`;
              return (
                <span class="token" key={index} title={title} style={{ "--doubt": String(Math.min(1, -now / 4)) }}>
                  {text}
                </span>
              );
            })}
          </p>
          <p class="caption">The darker, the less likely the model finds the token.</p>
        </>
      )}
    </section>
  );
}

function AnswerDetail({ answer }: { answer: Answer }) {
  return (
    <article class="answer-detail" aria-label={`Answer ${answer.sample_index + 1} to ${answer.task_id}`}>
      <h3>{titleOf(answer.solution)}</h3>
      {answer.error_type === "" ? (
        <p class="verdict right">Right: it passes all tests of {answer.task_id}.</p>
      ) : (
        <FailureNote answer={answer} />
      )}
      <SingleCode code={answer.solution} failingLine={answer.line} label={answer.error_type === "" ? "Right answer" : "Failed answer"} />
      {answer.ended === "length" && <p class="caption">It was cut off at the longest length allowed.</p>}
      <Logps answer={answer} />
    </article>
  );
}

/** What was asked, and what came back. */
interface Replies {
  prompt: string;
  base: string;
  /** null: not written yet, or no adapter was chosen. */
  trained: { adapter: string; text: string } | null;
}

const FIRST_PROMPT = "# Return the sum of the even numbers in xs.\ndef sum_even(xs):\n";
const NEW_TOKENS = 110;

/** A prompt answered by the model alone and with an adapter, side by side. */
function Ask({ suggested }: { suggested: string | null }) {
  const session = useSession();
  const prompt = useSignal(FIRST_PROMPT);
  const temperature = useSignal(0);
  const adapterId = useSignal<string | null>(null);
  const replies: Signal<Replies | null> = useSignal(null);
  const failure = useSignal<string | null>(null);
  const asking = useSignal(false);
  const adapters = session.workbench.adapters.value;
  const adapter = adapters.find(({ id }) => id === adapterId.value) ?? adapters.at(-1) ?? null;
  const missing = whyNot(session);
  const ask = async () => {
    asking.value = true;
    failure.value = null;
    const asked = prompt.value;
    const write = async (id: string | null) => (await session.workbench.ask(asked, id, temperature.value, NEW_TOKENS)).text;
    try {
      const base = await write(null);
      replies.value = { prompt: asked, base, trained: null };
      if (adapter) replies.value = { prompt: asked, base, trained: { adapter: adapter.id, text: await write(adapter.id) } };
    } catch (error) {
      failure.value = messageOf(error);
    } finally {
      asking.value = false;
    }
  };
  const { value: now } = replies;
  const trained = now?.trained?.adapter === adapter?.id ? now?.trained : null;
  const reply = (title: string, answer: string | undefined, blank: string) => (
    <div>
      <h3>{title}</h3>
      {now && answer !== undefined ? (
        <SingleCode code={now.prompt + answer} failingLine={null} label={title} />
      ) : (
        <p class="well caption">{blank}</p>
      )}
    </div>
  );
  return (
    <section class="panel ask" aria-labelledby="ask-title">
      <div class="panel-head">
        <h2 id="ask-title">Ask the model</h2>
        {suggested && (
          <button type="button" class="quiet" onClick={() => (prompt.value = suggested)}>
            Take the open problem
          </button>
        )}
      </div>
      <textarea
        aria-label="Prompt"
        spellcheck={false}
        rows={4}
        value={prompt.value}
        onInput={(event) => (prompt.value = event.currentTarget.value)}
      />
      <div class="panel-head">
        <button type="button" class="primary" disabled={missing !== null || asking.value} onClick={ask}>
          {asking.value ? "Writing …" : "Answer"}
        </button>
        <label class="slider">
          <span>Adapter</span>
          <select
            value={adapter?.id ?? ""}
            disabled={adapters.length === 0}
            onChange={(event) => (adapterId.value = event.currentTarget.value)}
          >
            {adapters.length === 0 && <option value="">none yet</option>}
            {adapters.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label class="slider">
          <span>Temperature {temperature.value.toFixed(1)}</span>
          <input
            type="range"
            min={0}
            max={1.5}
            step={0.1}
            value={temperature.value}
            onInput={(event) => (temperature.value = Number(event.currentTarget.value))}
          />
        </label>
      </div>
      <p class="caption">
        {missing ??
          (session.workbench.model.value?.id === EMBEDDED_MODEL
            ? "The embedded model knows one form: a comment that says the task, then the def line. Nothing that it writes here is run."
            : "The model goes on from the prompt as it stands; no chat template is put around it. Nothing that it writes here is run.")}
      </p>
      {failure.value && <p role="alert">{failure.value}</p>}
      <div class="replies">
        {reply("Model alone", now?.base, "Its answer appears here.")}
        {reply(
          adapter ? `With ${adapter.name}` : "With an adapter",
          trained?.text,
          adapter ? "The trained answer appears here." : "Train a run, or open an adapter in the view “Machine”, to compare.",
        )}
      </div>
    </section>
  );
}

/** Any problem and all of its answers, and a prompt of one's own. */
export function AnswersView() {
  const session = useSession();
  const { run } = session.board;
  const filter = useSignal<AnswerFilter>({ phase: phasesOf(run)[0] ?? "exam", outcome: "", text: "" });
  const chosen = useSignal<string | null>(null);
  const wanted = session.answersOf.value;
  useEffect(() => {
    if (wanted === null) return;
    const phase = phasesOf(run).find((entry) => entry.startsWith("after") && run.answers[entry]?.has(wanted)) ?? filter.value.phase;
    filter.value = { phase, outcome: "", text: wanted };
    session.answersOf.value = null;
  }, [wanted]);
  const found = useComputed(() => {
    session.board.revision.value;
    return filterAnswers(session.board.run, filter.value);
  });
  const answers = found.value;
  const at = Math.max(
    0,
    answers.findIndex((answer) => keyOf(answer) === chosen.value),
  );
  const open = answers[at];
  return (
    <main class="view answers-view" aria-labelledby="answers-title">
      <section class="panel answer-list">
        <h2 id="answers-title">Answers</h2>
        <Filters filter={filter} count={answers.length} />
        <VirtualList
          label="Answers"
          items={answers}
          rowRem={2.4}
          keyOf={keyOf}
          open={answers.length > 0 ? at : -1}
          onOpen={(answer) => (chosen.value = keyOf(answer))}
          row={(answer) => <AnswerRow answer={answer} />}
        />
      </section>
      <section class="panel answer-open" aria-label="The open answer">
        {open ? <AnswerDetail answer={open} /> : <p class="blank caption">No answer fits. A run fills this list; the filters narrow it.</p>}
      </section>
      <Ask suggested={open ? promptOf(open) : null} />
    </main>
  );
}
