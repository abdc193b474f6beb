import type { Answer } from "../records.ts";
import { errorLook } from "./error_types.ts";
import { TypeBadge } from "./type_badge.tsx";

/** What went wrong in an answer, in words: type, line, what Python said, expected and got. */
export function FailureNote({ answer }: { answer: Answer }) {
  const look = errorLook(answer.error_type);
  return (
    <div class="failure-note">
      <p>
        <TypeBadge errorType={answer.error_type} />
        <strong>{look.label}</strong>
        {answer.line !== null && <span> on line {answer.line}</span>}
        <span class="meaning">{look.meaning}</span>
      </p>
      <dl>
        {answer.message && (
          <div>
            <dt class="unseen">message</dt>
            <dd class="got">{answer.message}</dd>
          </div>
        )}
        {answer.expected !== null && (
          <>
            <div>
              <dt>expected</dt>
              <dd class="expected">{answer.expected}</dd>
            </div>
            <div>
              <dt>got</dt>
              <dd class="got">{answer.got ?? "nothing"}</dd>
            </div>
          </>
        )}
      </dl>
    </div>
  );
}
