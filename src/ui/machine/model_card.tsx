import { countText } from "../number_text.ts";
import { useSession } from "../session.ts";
import { LoadProgress, OtherModel } from "./other_model.tsx";
import { EMBEDDED_MODEL } from "./workbench.ts";

/** The model that is loaded, and the ways to another. */
export function ModelCard() {
  const session = useSession();
  const model = session.workbench.model.value;
  return (
    <section class="panel" aria-labelledby="model-title">
      <h2 id="model-title">Model</h2>
      {model ? (
        <>
          <p class="large">
            {model.id} <span class="caption">{countText(model.parameters)} parameters</span>
          </p>
          <p class="caption">
            {model.layers} layers, {model.vocabularySize.toLocaleString("en-US")} tokens, context of {model.contextLength}, weights held as{" "}
            {model.dtype}.
          </p>
          {model.id === EMBEDDED_MODEL && (
            <details>
              <summary>What it is, and what it is not</summary>
              <p class="details-text">
                Made from nothing for this page: a decoder of 0.87 million parameters that writes short Python functions for one form of
                prompt, a comment and a def line. It was trained on answers that are mostly wrong in the ways of beginners, so that there is
                something to correct.
              </p>
              <p class="details-text">
                It is no code assistant and no measure of any method: what it gains shows that the loop works, not how much the method helps
                a real model.
              </p>
            </details>
          )}
        </>
      ) : (
        <p class="caption">None is loaded.</p>
      )}
      <LoadProgress />
      <OtherModel />
    </section>
  );
}
