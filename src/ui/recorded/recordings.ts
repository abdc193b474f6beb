// The recorded runs that come with the page (public/recorded/); recordings.json there says how each was made.

export interface Recording {
  /** As the URL names it. */
  id: string;
  /** Below the page's folder. */
  path: string;
  title: string;
}

export const RECORDINGS: readonly Recording[] = [
  { id: "h2l", path: "recorded/ap2o-h2l.zip", title: "Frequent errors first (H2L)" },
  { id: "l2h", path: "recorded/ap2o-l2h.zip", title: "Rare errors first (L2H)" },
  { id: "h2l-noreplay", path: "recorded/ap2o-h2l-noreplay.zip", title: "H2L without replay" },
];

/** What plays when the page opens. */
export const FIRST_RECORDING = RECORDINGS[0];
