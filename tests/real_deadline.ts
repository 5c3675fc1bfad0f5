import { realTurn } from "./fake_time.ts";
import { PATIENCE_MS } from "./patience.ts";

const { setTimeout: setRealTimeout, clearTimeout: clearRealTimeout } = globalThis;
const realNow = performance.now.bind(performance);

/**
 * The result of this, or an error when it never comes, in real time under a fake clock, too:
 * a test that waits for another side fails with broken code instead of hanging. The error has what is
 * `told` by then.
 */
export async function realDeadline<T>(
  promise: Promise<T>,
  { ms = PATIENCE_MS, told }: { ms?: number; told?: () => string } = {},
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setRealTimeout(() => reject(hangs(ms, told?.())), ms);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearRealTimeout(timer);
  }
}

/** Waits until something is so, which others bring about, in real time; fails when it never is. */
export async function realUntil(isSo: () => boolean): Promise<void> {
  for (const endMs = realNow() + PATIENCE_MS; !isSo();) {
    if (realNow() > endMs) throw hangs(PATIENCE_MS);
    await realTurn();
  }
}

function hangs(ms: number, told = ""): Error {
  return new Error(`it hangs: nothing came within ${ms / 1000} s${told && `:\n${told}`}`);
}
