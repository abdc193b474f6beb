// How each error type looks and what it means. One hue and one two-letter code per type, the same in every view: the code
// carries the meaning where colours cannot be told apart.

export interface ErrorLook {
  /** Name shown to people. */
  label: string;
  /** Two letters, unique among the known types. */
  code: string;
  /** OKLCH hue in degrees; lightness and chroma come from the theme. */
  hue: number;
  /** One sentence for a newcomer. */
  meaning: string;
}

/** By raw Python class, as in `error_type`. A failed test is an AssertionError there and called WrongResult here. */
const LOOKS: Record<string, ErrorLook> = {
  AssertionError: { label: "WrongResult", code: "Wr", hue: 5, meaning: "It ran, but returned something other than the test expected." },
  SyntaxError: { label: "SyntaxError", code: "Sy", hue: 300, meaning: "Python could not read the program." },
  IndentationError: { label: "IndentationError", code: "In", hue: 328, meaning: "A line is indented too far or not far enough." },
  TabError: { label: "TabError", code: "Tb", hue: 340, meaning: "Tabs and spaces are mixed." },
  NameError: { label: "NameError", code: "Na", hue: 255, meaning: "A name is used that does not exist." },
  UnboundLocalError: { label: "UnboundLocalError", code: "Ub", hue: 228, meaning: "A variable is used before it has a value." },
  TypeError: { label: "TypeError", code: "Ty", hue: 62, meaning: "An operation met a value of the wrong kind." },
  ValueError: { label: "ValueError", code: "Va", hue: 95, meaning: "Right kind of value, but not one that works here." },
  AttributeError: { label: "AttributeError", code: "At", hue: 172, meaning: "A method or attribute that this object does not have." },
  IndexError: { label: "IndexError", code: "Ix", hue: 145, meaning: "A position outside the list." },
  KeyError: { label: "KeyError", code: "Ke", hue: 120, meaning: "A key that is not in the dictionary." },
  ZeroDivisionError: { label: "ZeroDivisionError", code: "Ze", hue: 40, meaning: "Divided by zero." },
  RecursionError: { label: "RecursionError", code: "Re", hue: 200, meaning: "The function called itself without end." },
  TimeoutError: { label: "TimeoutError", code: "Ti", hue: 280, meaning: "Still running when the time was over." },
  MemoryError: { label: "MemoryError", code: "Me", hue: 215, meaning: "Asked for more memory than there is." },
  StopIteration: { label: "StopIteration", code: "St", hue: 185, meaning: "Asked an empty sequence for one more." },
  OverflowError: { label: "OverflowError", code: "Ov", hue: 75, meaning: "A number became too large." },
  OSError: { label: "OSError", code: "Os", hue: 20, meaning: "Asked for input or a file, which the sandbox does not give." },
  SystemExit: { label: "SystemExit", code: "Ex", hue: 315, meaning: "The program ended itself." },
  UnknownError: { label: "UnknownError", code: "Un", hue: 265, meaning: "The interpreter died without saying why." },
};

function hueOf(name: string): number {
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + letter.charCodeAt(0)) % 360;
  return hash;
}

/**
 * The look of an error type.
 * @param errorType raw Python class name; types not listed get a hue and a code from their name
 */
export function errorLook(errorType: string): ErrorLook {
  if (Object.hasOwn(LOOKS, errorType)) return LOOKS[errorType]!;
  return { label: errorType, code: errorType.slice(0, 2), hue: hueOf(errorType), meaning: "An exception that the answer raised." };
}

/** Raw names of all types with a look of their own. */
export const KNOWN_ERROR_TYPES: readonly string[] = Object.keys(LOOKS);
