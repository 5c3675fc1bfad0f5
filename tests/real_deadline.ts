import { realTurn } from "./fake_time.ts";

const { setTimeout: setRealTimeout, clearTimeout: clearRealTimeout } = globalThis;
const realNow = performance.now.bind(performance);

/** Only what hangs takes so long, however slow the machine is. */
const LIMIT_MS = 30_000;

/**
 * The result of this, or an error when there is none after 30 s of real time, under a fake clock too:
 * a test that waits for another side fails with broken code instead of hanging.
 */
export async function realDeadline<T>(promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setRealTimeout(() => reject(hangs()), LIMIT_MS);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearRealTimeout(timer);
  }
}

/** Waits until something is so, which others bring about, in real time; fails after 30 s. */
export async function realUntil(isSo: () => boolean): Promise<void> {
  for (const endMs = realNow() + LIMIT_MS; !isSo();) {
    if (realNow() > endMs) throw hangs();
    await realTurn();
  }
}

function hangs(): Error {
  return new Error(`it hangs: nothing came within ${LIMIT_MS / 1000} s`);
}
