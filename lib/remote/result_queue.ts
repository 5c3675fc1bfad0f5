import { describeError, getLogger } from "../log/log.ts";
import type { CommandResult } from "../types.ts";

/** What the uploads work with. */
export interface ResultUploadsOptions {
  /** One try; rejects when the panel has not accepted the result. */
  upload(result: CommandResult, signal: AbortSignal): Promise<void>;
  timers: Pick<typeof globalThis, "setTimeout" | "clearTimeout">;
  /** Milliseconds on a clock that only runs forward. */
  monotonicMs(): number;
  /** 0 to below 1. */
  random(): number;
}

interface Entry {
  readonly result: CommandResult;
  readonly bytes: number;
  readonly sinceMs: number;
  readonly controller: AbortController;
  state: "due" | "underWay" | "resting";
  delayMs: number;
  timer?: ReturnType<typeof setTimeout>;
}

const TRIES_AT_A_TIME = 4;

const FIRST_DELAY_MS = 2000;

const LONGEST_DELAY_MS = 60_000;

const GIVE_UP_AFTER_MS = 60 * 60_000;

/** All that waits, together. */
const CAPACITY_BYTES = 8 * 1024 * 1024;

/** What a result costs beside its text; so their number is bounded too. */
const OVERHEAD_BYTES = 1024;

/**
 * Brings results to the panel: each is tried until it is accepted or an hour has passed, and a
 * result that rests between two tries holds up no other.
 */
export class ResultUploads {
  readonly #options: ResultUploadsOptions;
  readonly #log = getLogger("control");
  /** Oldest first. */
  readonly #entries = new Set<Entry>();
  readonly #tries = new Set<Promise<void>>();
  #bytes = 0;
  #isFailing = false;

  constructor(options: ResultUploadsOptions) {
    this.#options = options;
  }

  /** How many results have not been accepted yet. */
  get waiting(): number {
    return this.#entries.size;
  }

  /** Takes a result over; the oldest ones make room for it. */
  add(result: CommandResult): void {
    const entry: Entry = {
      result,
      bytes: result.output.length * 2 + OVERHEAD_BYTES,
      sinceMs: this.#options.monotonicMs(),
      controller: new AbortController(),
      state: "due",
      delayMs: FIRST_DELAY_MS,
    };
    this.#entries.add(entry);
    this.#bytes += entry.bytes;
    for (const oldest of this.#entries) {
      if (this.#bytes <= CAPACITY_BYTES) break;
      this.#giveUp(oldest, "too many results wait for the panel");
    }
    this.#startNext();
  }

  /** Forgets all results, and resolves when no try is under way. */
  async close(): Promise<void> {
    for (const entry of this.#entries) this.#forget(entry);
    await Promise.all(this.#tries);
  }

  #startNext(): void {
    for (const entry of this.#entries) {
      if (this.#tries.size >= TRIES_AT_A_TIME) return;
      if (entry.state !== "due") continue;
      entry.state = "underWay";
      const attempt = this.#try(entry).finally(() => {
        this.#tries.delete(attempt);
        this.#startNext();
      });
      this.#tries.add(attempt);
    }
  }

  async #try(entry: Entry): Promise<void> {
    const { result, controller: { signal } } = entry;
    try {
      await this.#options.upload(result, signal);
      this.#forget(entry);
      this.#isFailing = false;
    } catch (error) {
      if (!signal.aborted) this.#rest(entry, describeError(error));
    }
  }

  #rest(entry: Entry, error: string): void {
    const { timers, monotonicMs, random } = this.#options;
    if (monotonicMs() - entry.sinceMs >= GIVE_UP_AFTER_MS) return this.#giveUp(entry, error);
    if (!this.#isFailing) {
      const { taskId } = entry.result;
      this.#log.warning("Cannot upload the result of command {taskId} yet: {error}", {
        taskId,
        error,
      });
    }
    this.#isFailing = true;
    entry.state = "resting";
    entry.timer = timers.setTimeout(() => {
      entry.state = "due";
      this.#startNext();
    }, entry.delayMs * (0.5 + random() / 2));
    entry.delayMs = Math.min(entry.delayMs * 2, LONGEST_DELAY_MS);
  }

  #giveUp(entry: Entry, reason: string): void {
    this.#forget(entry);
    const { taskId } = entry.result;
    this.#log.warning("Gave up the result of command {taskId}: {reason}", { taskId, reason });
  }

  #forget(entry: Entry): void {
    if (!this.#entries.delete(entry)) return;
    this.#bytes -= entry.bytes;
    this.#options.timers.clearTimeout(entry.timer);
    entry.controller.abort();
  }
}
