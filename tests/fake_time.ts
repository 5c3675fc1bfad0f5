import { assert } from "@std/assert";
import { type Clock, install } from "@sinonjs/fake-timers";
import { testsWith } from "./tests_with.ts";

const { setTimeout: setRealTimeout } = globalThis;
/** More than an abort takes to close a socket, or a process to be killed. */
const MAX_TURNS = 100;

/** Lets processes and sockets do what they can do at once, in real time. */
export function realTurn(): Promise<void> {
  return new Promise((resolve) => void setRealTimeout(resolve, 1));
}

/** Does something at another date than now; `performance` and timers stay as they are. */
export function atDate<T>(atMs: number, act: () => T): T {
  const { now } = Date;
  Date.now = () => atMs;
  try {
    return act();
  } finally {
    Date.now = now;
  }
}

/**
 * A fake clock for timers, `performance` and `Date`, under which processes and sockets go on in real
 * time. It is the one way to fake time: what is tested uses the runtime's clocks and timers directly.
 *
 * Its time passes only when a test says so; a test that uses it must not wait by `setTimeout`.
 */
export class FakeTime implements Disposable {
  readonly #clock: Clock;

  /** @param options `now`: the date at its start; `performance.now()` begins at 0. */
  constructor({ now = 0 }: { now?: Date | number } = {}) {
    this.#clock = install({
      now,
      toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance", "Date"],
    });
  }

  /** Lets so many milliseconds pass at once; promises that settle by it settle later. */
  tick(ms: number): void {
    this.#clock.tick(ms);
  }

  /** Lets so many milliseconds pass, and what waits for them go on: faster than {@linkcode pass}. */
  async run(ms: number): Promise<void> {
    await this.#clock.tickAsync(ms);
  }

  /** Lets so many milliseconds pass while the machine sleeps: what is due meanwhile comes once. */
  sleep(ms: number): void {
    this.#clock.jump(ms);
  }

  /** Lets so many milliseconds pass at each look at `performance.now()`, as slow work does. */
  tickAtEachLook(ms: number): void {
    const { now } = performance;
    performance.now = () => (this.#clock.tick(ms), now.call(performance));
  }

  /** The timers that are set. */
  get timers(): number {
    return this.#clock.countTimers();
  }

  /** Sets the date and leaves `performance` and all timers as they are, as an administrator may. */
  setDate(date: Date | number): void {
    this.#clock.setSystemTime(date);
  }

  /** Lets so many milliseconds pass, in steps, with real turns between them. */
  async pass(ms: number, { stepMs = 10 }: { stepMs?: number } = {}): Promise<void> {
    for (let leftMs = ms; leftMs > 0; leftMs -= stepMs) {
      await realTurn();
      await this.#clock.tickAsync(Math.min(stepMs, leftMs));
    }
    await realTurn();
  }

  /** Lets time pass until the promise has settled; the milliseconds that it took. */
  async until(
    promise: Promise<unknown>,
    { withinMs, stepMs = 10 }: { withinMs: number; stepMs?: number },
  ): Promise<number> {
    let settled = false;
    const settles = () => void (settled = true);
    promise.then(settles, settles);
    const startMs = this.#clock.now;
    while (!settled) {
      assert(this.#clock.now - startMs < withinMs, `it did not settle within ${withinMs} ms`);
      const { timers } = this;
      await this.pass(stepMs, { stepMs });
      // What a time-out ends needs a few turns more on a busy machine.
      for (let turns = 0; !settled && this.timers < timers && turns < MAX_TURNS; turns++) {
        await realTurn();
      }
    }
    return this.#clock.now - startMs;
  }

  [Symbol.dispose](): void {
    this.#clock.uninstall();
  }
}

/** Tests whose time passes only when they say so. */
export const timed = testsWith(() => new FakeTime());
