// The few icons of the page, drawn on a grid of 16.
const PATHS = {
  play: "M4.5 2.8v10.4L13 8z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  step: "M3 2.8v10.4L10 8zM11 3h2.4v10H11z",
  stop: "M3.5 3.500h9v9h-9z",
  reset: "M8 2.500a5.500 5.500 0 1 1-5.2 3.700l1.700.600A3.700 3.700 0 1 0 8 4.300v2L4.300 3.300 8 .4z",
  more: "M3.500 6.600a1.400 1.400 0 1 1 0 2.800 1.400 1.400 0 0 1 0-2.800zM8 6.600a1.400 1.400 0 1 1 0 2.800 1.400 1.400 0 0 1 0-2.800zM12.500 6.600a1.400 1.400 0 1 1 0 2.800 1.400 1.400 0 0 1 0-2.800z",
} as const;

/** An icon; what it means is said by the button around it. */
export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
