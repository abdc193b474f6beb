// The page's keys. A key that a focused control needs for itself stays the control's.

import { VIEWS, type View } from "./views.ts";

export type KeyAction = "toggle" | "step" | "help" | "back" | "on" | { view: View };

const ACTIONS: Record<string, KeyAction> = { " ": "toggle", s: "step", "?": "help", arrowleft: "back", arrowright: "on" };
for (const [place, { value }] of VIEWS.entries()) ACTIONS[String(place + 1)] = { view: value };

/** Where letters and digits are typed, or choose. */
const TYPED_INTO = "input:not([type=range], [type=checkbox], [type=radio]), select, textarea, dialog";

/** Controls that need Space for themselves, and those that need the arrows. */
const SPACE_OWNERS = "button, input, a, summary, [role=radio], [role=option]";
const ARROW_OWNERS = "input, [role=radio], [role=listbox], [role=option], [tabindex]:not([tabindex='-1'])";

/** What a key press asks for, null when it is none of the page's keys or belongs to the control that has the focus. */
export function keyAction(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "target">): KeyAction | null {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const action = ACTIONS[event.key.toLowerCase()] ?? null;
  const focused = event.target !== null && event.target instanceof Element ? event.target : null;
  if (focused?.closest(TYPED_INTO)) return null;
  if (action === "toggle" && focused?.closest(SPACE_OWNERS)) return null;
  if ((action === "back" || action === "on") && focused?.closest(ARROW_OWNERS)) return null;
  return action;
}
