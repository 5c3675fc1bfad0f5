/** Waits for a promise, but not longer than `ms` and not after the signal; whether it has settled. */
export async function settlesWithin(
  promise: Promise<unknown>,
  ms: number,
  options: { signal?: AbortSignal } = {},
): Promise<boolean> {
  const { signal } = options;
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const giveUp = () => resolve(false);
  const timer = setTimeout(giveUp, ms);
  signal?.addEventListener("abort", giveUp, { once: true });
  if (signal?.aborted) giveUp();
  try {
    return await Promise.race([promise.then(() => true, () => true), late]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
  }
}
