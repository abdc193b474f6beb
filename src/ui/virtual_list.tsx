// A list of which only the rows in sight are in the page: ten thousand answers cost as much as twenty.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface VirtualListProps<T> {
  label: string;
  items: readonly T[];
  /** Height of every row, in rem. */
  rowRem: number;
  keyOf(item: T): string;
  /** Index of the open row, -1 for none. */
  open: number;
  onOpen(item: T): void;
  row(item: T): ComponentChildren;
}

/** Rows drawn above and below those in sight. */
const MARGIN_ROWS = 6;

/** The rows from `first` to `last` (not included) that are to be drawn. */
export function rowsInSight(scrollTop: number, height: number, rowHeight: number, count: number): { first: number; last: number } {
  const first = Math.max(0, Math.floor(scrollTop / rowHeight) - MARGIN_ROWS);
  const last = Math.min(count, Math.ceil((scrollTop + height) / rowHeight) + MARGIN_ROWS);
  return { first: Math.min(first, Math.max(0, last)), last };
}

/** A listbox; arrows, Home and End move in it. */
export function VirtualList<T>({ label, items, rowRem, keyOf, open, onOpen, row }: VirtualListProps<T>) {
  const list = useRef<HTMLDivElement>(null);
  const scrollTop = useSignal(0);
  const height = useSignal(600);
  const rowHeight = rowRem * remPixels();

  useEffect(() => {
    const element = list.current;
    if (!element) return;
    const resize = new ResizeObserver(() => (height.value = element.clientHeight));
    resize.observe(element);
    return () => resize.disconnect();
  }, []);

  useEffect(() => {
    const element = list.current;
    if (!element || open < 0) return;
    const top = open * rowHeight;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + rowHeight > element.scrollTop + element.clientHeight) element.scrollTop = top + rowHeight - element.clientHeight;
  }, [open, rowHeight]);

  const move = (event: KeyboardEvent) => {
    const targets: Record<string, number> = { ArrowDown: open + 1, ArrowUp: open - 1, Home: 0, End: items.length - 1 };
    const item = items[targets[event.key] ?? -1];
    if (!item) return;
    event.preventDefault();
    onOpen(item);
  };
  const { first, last } = rowsInSight(scrollTop.value, height.value, rowHeight, items.length);
  const idOf = (index: number) => `${label.replace(/\W+/g, "-").toLowerCase()}-${index}`;
  return (
    <div
      class="virtual-list"
      ref={list}
      role="listbox"
      aria-label={label}
      tabIndex={0}
      aria-activedescendant={open >= first && open < last ? idOf(open) : undefined}
      onScroll={(event) => (scrollTop.value = event.currentTarget.scrollTop)}
      onKeyDown={move}
    >
      <div class="virtual-rows" role="presentation" style={{ height: `${items.length * rowRem}rem` }}>
        {items.slice(first, last).map((item, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the listbox has the keys
          // biome-ignore lint/a11y/useFocusableInteractive: the listbox has the focus, and names the open row
          <div
            key={keyOf(item)}
            id={idOf(first + index)}
            role="option"
            aria-selected={first + index === open}
            aria-setsize={items.length}
            aria-posinset={first + index + 1}
            class="row"
            style={{ top: `${(first + index) * rowRem}rem`, height: `${rowRem}rem` }}
            onClick={() => onOpen(item)}
          >
            {row(item)}
          </div>
        ))}
      </div>
    </div>
  );
}

function remPixels(): number {
  return Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
}
