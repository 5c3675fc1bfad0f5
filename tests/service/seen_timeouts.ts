/** The limits, in milliseconds, of the signals that `use` makes to end something by itself. */
export async function seenTimeouts(use: () => Promise<unknown>): Promise<number[]> {
  const { timeout } = AbortSignal;
  const seen: number[] = [];
  AbortSignal.timeout = (ms) => {
    seen.push(ms);
    return new AbortController().signal;
  };
  try {
    await use();
  } finally {
    AbortSignal.timeout = timeout;
  }
  return seen;
}
