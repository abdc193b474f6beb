// The page's keys. A key that a focused control needs for itself stays the control's.

export type KeyAction = "toggle" | "step" | "help";

const ACTIONS: Record<string, KeyAction> = { " ": "toggle", s: "step", "?": "help" };
const OWN_KEYS = "input, select, textarea, button, a, summary, dialog, [role=radio], [role=menuitem]";

/** What a key press asks for, null when it is none of the page's keys or belongs to the control that has the focus. */
export function keyAction(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "target">): KeyAction | null {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const action = ACTIONS[event.key.toLowerCase()] ?? null;
  const focused = event.target instanceof Element ? event.target : null;
  if (focused?.closest("input, select, textarea, dialog")) return null;
  if (action === "toggle" && focused?.closest(OWN_KEYS)) return null;
  return action;
}
