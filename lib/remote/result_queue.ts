import { backoffMs } from "../async/backoff.ts";
import { BoundedQueue } from "../async/bounded_queue.ts";
import { LargeGarbage } from "../host/memory_release.ts";
import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import { PanelError } from "../panel/panel_error.ts";

/** A result on its way to the panel. */
export interface QueuedResult {
  /** Names it in the log: `the result of command 5`. */
  readonly name: string;
  /** Bytes that it takes in memory, roughly, unless they are bounded elsewhere. */
  readonly bytes: number;
  /** Bytes of the message, roughly; `bytes` by default. */
  readonly messageBytes?: number;
  /** It is given up when it was not accepted for so long. */
  readonly expiresAfterMs: number;
  /**
   * One attempt; rejects when the panel has not accepted it.
   *
   * @param isShort Whether the panel or a proxy has refused the whole as too large.
   */
  send(signal: AbortSignal, isShort: boolean): Promise<void>;
  /** Called when it was accepted or given up. */
  onGone?(): void;
}

interface Entry {
  readonly result: QueuedResult;
  readonly addedAtMs: number;
  readonly controller: AbortController;
  /** Resolved when it was tried once, or removed. */
  readonly tried: PromiseWithResolvers<void>;
  readonly messageBytes: number;
  failures: number;
  /** Whether the whole was refused as too large. */
  isShort: boolean;
  /** Set while it waits for its next attempt. */
  timer?: ReturnType<typeof setTimeout> | undefined;
}

const PARALLEL_ATTEMPTS = 4;

/** A longer message takes several times as much memory while it is sent: one at a time. */
const LARGE_BYTES = 256 * 1024;

const DELAYS = { baseMs: 2_000, maxMs: 60_000 };

/** Memory of all results that wait. */
const CAPACITY_BYTES = 16 * 1024 * 1024;

/** Results that wait when a refusal is added; further refusals are dropped. */
const MAX_REFUSALS = 1000;

/** Added to the size of each result, so that their number is bounded too. */
const OVERHEAD_BYTES = 1024;

/**
 * Results on their way to the panel: each is tried with growing delays until it is accepted or has
 * expired, and one that waits for its next attempt holds up no other.
 */
export class ResultQueue {
  readonly #log = getLogger("remote");
  readonly #lostLog = new LogRateLimit();
  /** Oldest first. */
  readonly #entries = new Set<Entry>();
  readonly #attempts = this.#createAttempts(PARALLEL_ATTEMPTS);
  readonly #largeAttempts = this.#createAttempts(1);
  /** What long messages leave. */
  readonly garbage = new LargeGarbage();
  #bytes = 0;
  #isFailing = false;
  #isClosed = false;

  /** Results that have not been accepted yet. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Adds a result; the oldest ones are given up when there is too little room. Resolves when it was
   * tried once, so that who makes large results can wait for the panel.
   */
  add(result: QueuedResult): Promise<void> {
    const entry: Entry = {
      result,
      addedAtMs: performance.now(),
      controller: new AbortController(),
      tried: Promise.withResolvers(),
      messageBytes: result.messageBytes ?? result.bytes,
      failures: 0,
      isShort: false,
    };
    this.#entries.add(entry);
    this.#bytes += result.bytes + OVERHEAD_BYTES;
    for (const oldest of this.#entries) {
      if (this.#bytes <= CAPACITY_BYTES) break;
      this.#giveUp(oldest, "too many results wait for the panel");
    }
    for (const attempts of [this.#attempts, this.#largeAttempts]) attempts.prune();
    this.#enqueue(entry);
    return entry.tried.promise;
  }

  /** Adds the refusal of a request; while too many results wait, the request gets no answer. */
  addRefusal(refusal: QueuedResult): void {
    if (this.size < MAX_REFUSALS) this.add(refusal);
  }

  /** Tries at once what waits for its next attempt, and resolves when each result was tried. */
  async drain(): Promise<void> {
    for (const entry of this.#entries) if (entry.timer !== undefined) this.#enqueue(entry);
    await Promise.all([this.#attempts.drain(), this.#largeAttempts.drain()]);
  }

  /** Drops all results, and resolves when no attempt is in flight. Later ones are tried once. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const entry of this.#entries) this.#remove(entry);
    await Promise.all([this.#attempts.close(), this.#largeAttempts.close()]);
    this.garbage.close();
  }

  #createAttempts(concurrency: number): BoundedQueue<Entry> {
    return new BoundedQueue<Entry>({
      run: (entry) => this.#try(entry),
      concurrency,
      // Their bytes are bounded.
      capacity: Infinity,
      isWanted: (entry) => this.#entries.has(entry),
    });
  }

  #enqueue(entry: Entry): void {
    clearTimeout(entry.timer);
    entry.timer = undefined;
    const attempts = entry.messageBytes > LARGE_BYTES ? this.#largeAttempts : this.#attempts;
    attempts.add(entry);
  }

  async #try(entry: Entry): Promise<void> {
    const { result, controller: { signal } } = entry;
    try {
      await result.send(signal, entry.isShort).catch((error) => {
        if (entry.isShort || !isTooLarge(error)) throw error;
        entry.isShort = true;
        return result.send(signal, true);
      });
      this.#remove(entry);
      this.#isFailing = false;
    } catch (error) {
      // One that is too large in its short form too: waiting does not make it smaller.
      if (isTooLarge(error)) this.#giveUp(entry, describeError(error));
      else if (!signal.aborted) this.#backOff(entry, describeError(error));
    }
    if (!this.#isClosed) this.garbage.add(entry.messageBytes);
    entry.tried.resolve();
  }

  #backOff(entry: Entry, error: string): void {
    const { name, expiresAfterMs } = entry.result;
    if (this.#isClosed) return this.#remove(entry);
    if (performance.now() - entry.addedAtMs >= expiresAfterMs) return this.#giveUp(entry, error);
    if (!this.#isFailing) this.#log.warning("Cannot send {name} yet: {error}", { name, error });
    this.#isFailing = true;
    const delayMs = backoffMs(entry.failures++, { ...DELAYS, random: Math.random() });
    entry.timer = setTimeout(() => this.#enqueue(entry), delayMs);
  }

  #giveUp(entry: Entry, reason: string): void {
    this.#remove(entry);
    const { name } = entry.result;
    this.#lostLog.write((more) =>
      this.#log.warning("Gave up {name}: {reason}{more}", { name, reason, more })
    );
  }

  #remove(entry: Entry): void {
    if (!this.#entries.delete(entry)) return;
    this.#bytes -= entry.result.bytes + OVERHEAD_BYTES;
    clearTimeout(entry.timer);
    entry.controller.abort();
    entry.result.onGone?.();
    entry.tried.resolve();
  }
}

/** Close frames that say that a message is too long (RFC 6455, section 7.4). */
const TOO_LONG = 1009;

function isTooLarge(error: unknown): boolean {
  return error instanceof PanelError && (error.status === 413 || error.closeCode === TOO_LONG);
}
