/** A timer that is set. */
interface Timer {
  readonly dueMs: number;
  fire(): void;
}

/**
 * Replaces the timers of this process, for good, by some that the JavaScript engine wakes up.
 *
 * For the first one of its own the runtime loads 22 modules of Node.js, in 7 ms of the start. What these
 * call sees its caller's asynchronous context, and an error of it is an unhandled rejection. The process
 * goes on running, whether one is set or not.
 *
 * They take no arguments for what they call.
 *
 * @param target What gets them.
 */
export function useEngineTimers(target: object = globalThis): void {
  const timers = new Map<number, Timer>();
  let lastId = 0;
  /** Never notified, so each wait ends by its timeout. */
  const cell = new Int32Array(new SharedArrayBuffer(4));
  /** When the engine wakes it up next: it does so even if nothing is due any more. */
  let wakesAtMs = Infinity;

  function wakeAt(dueMs: number): void {
    if (dueMs >= wakesAtMs) return;
    wakesAtMs = dueMs;
    const { value } = Atomics.waitAsync(cell, 0, 0, Math.max(1, dueMs - performance.now()));
    Promise.resolve(value).then(() => {
      if (wakesAtMs === dueMs) wakesAtMs = Infinity;
      const nowMs = performance.now();
      const due: Timer[] = [];
      let nextMs = Infinity;
      for (const timer of timers.values()) {
        if (timer.dueMs <= nowMs) due.push(timer);
        else nextMs = Math.min(nextMs, timer.dueMs);
      }
      for (const timer of due.sort((a, b) => a.dueMs - b.dueMs)) timer.fire();
      wakeAt(nextMs);
    });
  }

  function set(id: number, dueMs: number, call: () => void): number {
    const { promise, resolve } = Promise.withResolvers<void>();
    // A call due at the same time may have cleared it.
    promise.then(() => timers.delete(id) && call());
    timers.set(id, { dueMs, fire: resolve });
    wakeAt(dueMs);
    return id;
  }

  const clear = (id: number) => void timers.delete(id);
  Object.defineProperties(target, {
    setTimeout: {
      value: (call: () => void, ms = 0) => set(++lastId, performance.now() + ms, call),
    },
    setInterval: {
      value(call: () => void, ms: number) {
        const id = ++lastId;
        const repeat = (dueMs: number): number =>
          set(id, dueMs, () => {
            repeat(Math.max(dueMs + ms, performance.now()));
            call();
          });
        return repeat(performance.now() + ms);
      },
    },
    clearTimeout: { value: clear },
    clearInterval: { value: clear },
  });
  keepRunning();
}

/** The longest time of a timer of the runtime. */
const LONGEST_MS = 2 ** 31 - 1;

/** Keeps the process running, by a timer of the runtime that needs no module. */
function keepRunning(): void {
  AbortSignal.timeout(LONGEST_MS).addEventListener("abort", keepRunning);
}
