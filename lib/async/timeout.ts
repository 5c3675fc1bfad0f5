import { abortable } from "@std/async/abortable";

/**
 * Runs an operation with a signal that aborts after the timeout, or with `signal`, if any. The
 * operation has to end when it does.
 *
 * @throws The reason of `signal` when it aborts.
 * @throws {DOMException} `TimeoutError` after the timeout: `no answer within 10 s`.
 */
export async function withTimeout<T>(
  run: (signal: AbortSignal) => Promise<T>,
  { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal | undefined },
): Promise<T> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  signal?.addEventListener("abort", abort);
  const timer = setTimeout(
    () =>
      controller.abort(new DOMException(`no answer within ${timeoutMs / 1000} s`, "TimeoutError")),
    timeoutMs,
  );
  try {
    return await run(controller.signal);
  } catch (error) {
    // A socket that is closed when the signal aborts rejects with an error that does not say why.
    controller.signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

/**
 * The result of an operation that {@linkcode withTimeout} runs; `undefined` where it fails or is late.
 *
 * @throws The reason of `signal` when it aborts.
 */
export async function attemptWithin<T>(
  run: (signal: AbortSignal) => Promise<T>,
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<T | undefined> {
  try {
    return await withTimeout(run, options);
  } catch {
    options.signal.throwIfAborted();
    return undefined;
  }
}

/** Whether an error is the one that {@linkcode withTimeout} throws after the timeout. */
export function isTimeout(error: unknown): error is DOMException {
  return error instanceof DOMException && error.name === "TimeoutError";
}

/**
 * Waits for a promise, for `ms` at most and not beyond the signal; whether it has settled. Never
 * rejects.
 */
export async function settlesWithin(
  promise: Promise<unknown>,
  ms: number,
  { signal }: { signal?: AbortSignal } = {},
): Promise<boolean> {
  const settled = promise.then(() => true, () => true);
  try {
    return await withTimeout((limit) => abortable(settled, limit), { timeoutMs: ms, signal });
  } catch {
    return false;
  }
}
