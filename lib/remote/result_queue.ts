import { backoffMs } from "../backoff.ts";
import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";

/** Settings of a queue of results. */
export interface ResultQueueOptions<T> {
  /** One attempt; rejects when the panel has not accepted the result. */
  send(result: T, signal: AbortSignal): Promise<void>;
  /** Names a result in the log: `the result of command 5`. */
  nameOf(result: T): string;
  /** Bytes that a result takes in memory, roughly. */
  sizeOf(result: T): number;
  /** A result that was not accepted for so long is given up. */
  readonly expiresAfterMs: number;
  readonly timers: Pick<typeof globalThis, "setTimeout" | "clearTimeout">;
  /** Milliseconds on a clock that only runs forward. */
  monotonicMs(): number;
  /** 0 to below 1. */
  random(): number;
}

interface Entry<T> {
  readonly result: T;
  readonly bytes: number;
  readonly addedAtMs: number;
  readonly controller: AbortController;
  state: "ready" | "in flight" | "backing off";
  attempts: number;
  timer?: ReturnType<typeof setTimeout>;
}

const PARALLEL_ATTEMPTS = 4;

const DELAYS = { baseMs: 2_000, maxMs: 60_000 };

/** Memory of all results that wait. */
const CAPACITY_BYTES = 8 * 1024 * 1024;

/** Added to the size of each result, so that their number is bounded too. */
const OVERHEAD_BYTES = 1024;

/**
 * Results on their way to the panel: each is tried with growing delays until it is accepted or has
 * expired, and one that waits for its next attempt holds up no other.
 */
export class ResultQueue<T> {
  readonly #options: ResultQueueOptions<T>;
  readonly #log = getLogger("remote");
  readonly #lostLog: LogRateLimit;
  /** Oldest first. */
  readonly #entries = new Set<Entry<T>>();
  readonly #attempts = new Set<Promise<void>>();
  #bytes = 0;
  #isFailing = false;

  constructor(options: ResultQueueOptions<T>) {
    this.#options = options;
    const monotonicMs = () => options.monotonicMs();
    this.#lostLog = new LogRateLimit({ lines: 1, periodMs: 60_000, monotonicMs });
  }

  /** Results that have not been accepted yet. */
  get size(): number {
    return this.#entries.size;
  }

  /** Adds a result; the oldest ones are given up when there is too little room. */
  add(result: T): void {
    const entry: Entry<T> = {
      result,
      bytes: this.#options.sizeOf(result) + OVERHEAD_BYTES,
      addedAtMs: this.#options.monotonicMs(),
      controller: new AbortController(),
      state: "ready",
      attempts: 0,
    };
    this.#entries.add(entry);
    this.#bytes += entry.bytes;
    for (const oldest of this.#entries) {
      if (this.#bytes <= CAPACITY_BYTES) break;
      this.#giveUp(oldest, "too many results wait for the panel");
    }
    this.#startNext();
  }

  /** Drops all results, and resolves when no attempt is in flight. */
  async close(): Promise<void> {
    for (const entry of this.#entries) this.#remove(entry);
    await Promise.all(this.#attempts);
  }

  #startNext(): void {
    for (const entry of this.#entries) {
      if (this.#attempts.size >= PARALLEL_ATTEMPTS) return;
      if (entry.state !== "ready") continue;
      entry.state = "in flight";
      const attempt = this.#try(entry).finally(() => {
        this.#attempts.delete(attempt);
        this.#startNext();
      });
      this.#attempts.add(attempt);
    }
  }

  async #try(entry: Entry<T>): Promise<void> {
    const { result, controller: { signal } } = entry;
    try {
      await this.#options.send(result, signal);
      this.#remove(entry);
      this.#isFailing = false;
    } catch (error) {
      if (!signal.aborted) this.#backOff(entry, describeError(error));
    }
  }

  #backOff(entry: Entry<T>, error: string): void {
    const { timers, monotonicMs, random, nameOf, expiresAfterMs } = this.#options;
    if (monotonicMs() - entry.addedAtMs >= expiresAfterMs) return this.#giveUp(entry, error);
    if (!this.#isFailing) {
      const name = nameOf(entry.result);
      this.#log.warning("Cannot send {name} yet: {error}", { name, error });
    }
    this.#isFailing = true;
    entry.state = "backing off";
    entry.timer = timers.setTimeout(() => {
      entry.state = "ready";
      this.#startNext();
    }, backoffMs(entry.attempts++, { ...DELAYS, random: random() }));
  }

  #giveUp(entry: Entry<T>, reason: string): void {
    this.#remove(entry);
    if (!this.#lostLog.allows()) return;
    const name = this.#options.nameOf(entry.result);
    const more = this.#lostLog.takeSuppressed();
    this.#log.warning("Gave up {name}: {reason}{more}", { name, reason, more });
  }

  #remove(entry: Entry<T>): void {
    if (!this.#entries.delete(entry)) return;
    this.#bytes -= entry.bytes;
    this.#options.timers.clearTimeout(entry.timer);
    entry.controller.abort();
  }
}
