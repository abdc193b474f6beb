// What one forward pass reads: tokens of several segments packed one behind another, and which keys each of them sees.

/**
 * T tokens. A token sees the key slots [prefixStart, prefixEnd) of the segment it continues (a prompt) and [ownStart, ownEnd)
 * of its own segment: one table serves a pair with a shared prompt, several pairs in a pack, and sampling from a cache.
 */
export interface Pack {
  readonly ids: Uint32Array; // [T]
  readonly positions: Uint32Array; // [T], for rope
  readonly slots: Uint32Array; // [T], where the token's key and value are kept
  readonly spans: Uint32Array; // [T, 4]: prefixStart, prefixEnd, ownStart, ownEnd
}

/** How much work a pass is: its tokens, and how many keys they see together. */
export interface PassSize {
  readonly tokens: number;
  readonly keys: number;
}

export function passSize({ ids, spans }: Pack): PassSize {
  let keys = 0;
  for (let i = 0; i < spans.length; i += 4) keys += spans[i + 1]! - spans[i]! + spans[i + 3]! - spans[i + 2]!;
  return { tokens: ids.length, keys };
}

/** What the backward pass and the head need besides: M rows, each predicting one completion token. */
export interface TrainingPack extends Pack {
  /** [T, 2]: the tokens [from, to) are those that see this token's key. */
  readonly readers: Uint32Array;
  /** [M]: the token whose hidden state predicts, and the id that it should predict. */
  readonly rows: Uint32Array;
  readonly targets: Uint32Array;
  /** Rows sorted by token: rows order[starts[t]] .. order[starts[t + 1] - 1] belong to token t. */
  readonly order: Uint32Array; // [M]
  readonly starts: Uint32Array; // [T + 1]
  /** Per sequence, its rows [from, to). */
  readonly sequences: readonly (readonly [from: number, to: number])[];
}

/** A prompt and the completions that continue it. */
export interface PromptGroup {
  readonly promptIds: readonly number[];
  readonly completions: readonly (readonly number[])[];
}

/**
 * Packs groups for log-probabilities: each prompt runs once, its completions see it as their prefix. The last token of a
 * completion is only predicted, never read. Sequences are numbered group by group, completion by completion.
 */
export function packGroups(groups: readonly PromptGroup[]): TrainingPack {
  const ids: number[] = [];
  const positions: number[] = [];
  const spans: number[] = [];
  const readers: number[] = [];
  const rows: number[] = [];
  const targets: number[] = [];
  const sequences: [number, number][] = [];
  for (const { promptIds, completions } of groups) {
    if (promptIds.length === 0) throw new Error("a prompt needs at least one token: the first token of a completion is predicted from it");
    const prefixStart = ids.length;
    const prefixEnd = prefixStart + promptIds.length;
    const end = prefixEnd + completions.reduce((sum, c) => sum + Math.max(c.length - 1, 0), 0);
    promptIds.forEach((id, i) => {
      ids.push(id);
      positions.push(i);
      spans.push(0, 0, prefixStart, prefixStart + i + 1);
      readers.push(prefixStart + i, end);
    });
    for (const completion of completions) {
      const ownStart = ids.length;
      const from = rows.length;
      completion.forEach((id, i) => {
        rows.push(i === 0 ? prefixEnd - 1 : ownStart + i - 1);
        targets.push(id);
        if (i === completion.length - 1) return;
        ids.push(id);
        positions.push(promptIds.length + i);
        spans.push(prefixStart, prefixEnd, ownStart, ownStart + i + 1);
        readers.push(ownStart + i, ownStart + completion.length - 1);
      });
      sequences.push([from, rows.length]);
    }
  }
  const T = ids.length;
  return {
    ids: Uint32Array.from(ids),
    positions: Uint32Array.from(positions),
    slots: Uint32Array.from({ length: T }, (_, t) => t),
    spans: Uint32Array.from(spans),
    readers: Uint32Array.from(readers),
    rows: Uint32Array.from(rows),
    targets: Uint32Array.from(targets),
    ...rowsByToken(rows, T),
    sequences,
  };
}

function rowsByToken(rows: readonly number[], T: number): { order: Uint32Array; starts: Uint32Array } {
  const starts = new Uint32Array(T + 1);
  for (const token of rows) starts[token + 1]! += 1;
  for (let t = 0; t < T; t++) starts[t + 1]! += starts[t]!;
  const next = starts.slice();
  const order = new Uint32Array(rows.length);
  rows.forEach((token, row) => {
    order[next[token]!++] = row;
  });
  return { order, starts };
}
