import { errorLook } from "./error_types.ts";

/** Style that gives an element a type's hue; the stylesheet adds lightness and chroma by theme. */
export function hueStyle(errorType: string): Record<string, string> {
  return { "--hue": String(errorLook(errorType).hue) };
}

/** The two-letter mark of an error type. The name stands beside it, or is given to screen readers by the parent. */
export function TypeBadge({ errorType }: { errorType: string }) {
  return (
    <span class="badge" style={hueStyle(errorType)} aria-hidden="true">
      {errorLook(errorType).code}
    </span>
  );
}
