const { setTimeout: setRealTimeout, clearTimeout: clearRealTimeout } = globalThis;

/** Only what hangs takes so long, however slow the machine is. */
const LIMIT_MS = 30_000;

/**
 * The result of this, or an error when there is none after 30 s of real time, under a fake clock too:
 * a test that waits for another side fails with broken code instead of hanging.
 */
export async function realDeadline<T>(promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const hangs = () => reject(new Error(`it hangs: nothing came within ${LIMIT_MS / 1000} s`));
  const timer = setRealTimeout(hangs, LIMIT_MS);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearRealTimeout(timer);
  }
}
