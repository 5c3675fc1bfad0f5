import { replaced } from "../replaced.ts";

/** The limits, in milliseconds, of the signals that `use` makes to end something by itself. */
export async function seenTimeouts(use: () => Promise<unknown>): Promise<number[]> {
  const seen: number[] = [];
  using _seen = replaced(AbortSignal, {
    timeout(ms) {
      seen.push(ms);
      return new AbortController().signal;
    },
  });
  await use();
  return seen;
}
