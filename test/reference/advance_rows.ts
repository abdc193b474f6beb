export interface DecodingRow {
  readonly id: number;
  readonly position: number;
  readonly slot: number;
  readonly span: readonly [number, number, number, number];
  /** Every token drawn so far. */
  readonly history: readonly number[];
}

/** A row after its sampled token: the token is read next, one position and slot on, and sees one key more; at the limit it stays. */
export function advanceRow(row: DecodingRow, token: number, limit: number): DecodingRow {
  if (row.history.length >= limit) return row;
  const [prefixStart, prefixEnd, ownStart, ownEnd] = row.span;
  return {
    id: token,
    position: row.position + 1,
    slot: row.slot + 1,
    span: [prefixStart, prefixEnd, ownStart, ownEnd + 1],
    history: [...row.history, token],
  };
}
