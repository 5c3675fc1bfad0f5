/** How long something may take, and who may end it before. */
export interface TimeoutOptions {
  timeoutMs: number;
  signal: AbortSignal;
  timers?: Pick<typeof globalThis, "setTimeout" | "clearTimeout">;
}

/**
 * Runs something with a signal that aborts when the time is up, or with the one given. `run` has to
 * obey it.
 *
 * @throws The reason of `limit.signal` when it aborts.
 * @throws {DOMException} `TimeoutError` when the time is up: `no answer within 10 s`.
 */
export async function withTimeout<T>(
  run: (signal: AbortSignal) => Promise<T>,
  limit: TimeoutOptions,
): Promise<T> {
  const { timeoutMs: ms, signal, timers = globalThis } = limit;
  signal.throwIfAborted();
  const controller = new AbortController();
  const abort = () => controller.abort(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const timer = timers.setTimeout(
    () => controller.abort(new DOMException(`no answer within ${ms / 1000} s`, "TimeoutError")),
    ms,
  );
  try {
    return await run(controller.signal);
  } catch (error) {
    // What a closed socket says is of no interest then.
    controller.signal.throwIfAborted();
    throw error;
  } finally {
    timers.clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

/**
 * Waits for a promise, for `ms` at most and not beyond the signal; whether it has settled. Never
 * rejects.
 */
export async function settlesWithin(
  promise: Promise<unknown>,
  ms: number,
  options: { signal?: AbortSignal } = {},
): Promise<boolean> {
  const { signal } = options;
  const { promise: timedOut, resolve } = Promise.withResolvers<boolean>();
  const giveUp = () => resolve(false);
  const timer = setTimeout(giveUp, ms);
  signal?.addEventListener("abort", giveUp, { once: true });
  if (signal?.aborted) giveUp();
  try {
    return await Promise.race([promise.then(() => true, () => true), timedOut]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
  }
}
