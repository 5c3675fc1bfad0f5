/** Closes what may be closed already. */
export function closeQuietly(resource: { close(): void }): void {
  try {
    resource.close();
  } catch {
    // It is closed already.
  }
}

/** Closes a resource when `signal` aborts, which ends all that waits for it; until disposed of. */
export function closedOnAbort(resource: { close(): void }, signal: AbortSignal): Disposable {
  const close = () => closeQuietly(resource);
  if (signal.aborted) close();
  signal.addEventListener("abort", close, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", close) };
}
