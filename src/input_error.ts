/** Bad input from the user: one sentence that says what to do. The command line prints it and exits with status 2. */
export class InputError extends Error {
  override name = "InputError";
}

/** What was thrown, in words. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
