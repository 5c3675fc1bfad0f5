/**
 * How far an update has come; after each step a power loss leaves what the next run goes on from.
 *
 * `fetched` and `runs` are of the new file beside the program, `trial written` and `old kept` come
 * before it is `in place`.
 */
export type UpdateStep =
  | "fetched"
  | "runs"
  | "trial written"
  | "old kept"
  | "in place"
  | "restarted"
  | "resumed"
  | "accepted"
  | "returning"
  | "returned";

/** Tells a step in words. */
export type TellStep = (step: UpdateStep, words: string) => void;
