import type { InterfaceCounters } from "../parse/net_dev.ts";
import type { TimedBytes, TrafficBytes } from "../types.ts";

/** Number of missing interfaces whose counters are kept in case they return. */
const MAX_GONE = 64;

/** A counter that falls by less than this part of it was not reset: some drivers' sums jitter. */
const JITTER = 0.01;

/**
 * Bytes since the last counters of an interface, by one rule during a run and over a restart: a
 * counter that fell was reset, and everything it shows is new; all of it is new without `last`.
 */
export function bytesSince(last: TrafficBytes | undefined, now: TrafficBytes): TrafficBytes {
  return {
    sentBytes: increase(last?.sentBytes ?? 0, now.sentBytes),
    receivedBytes: increase(last?.receivedBytes ?? 0, now.receivedBytes),
  };
}

function increase(last: number, now: number): number {
  return isReset(last, now) ? now : Math.max(now - last, 0);
}

/**
 * The counter from which {@linkcode increase} goes on: the highest that an interface has shown since its
 * last reset, so that what swings counts once.
 */
function highest(last: number, now: number): number {
  return isReset(last, now) ? now : Math.max(now, last);
}

function isReset(last: number, now: number): boolean {
  return now < last * (1 - JITTER);
}

interface Bytes {
  sentBytes: number;
  receivedBytes: number;
}

/** The counters from which an interface goes on. */
interface LastCounters extends Bytes {
  readonly name: string;
  index: number | undefined;
}

/**
 * Adds up the counters of interfaces that appear, disappear, are renamed and restart at 0, so that the
 * total never falls.
 *
 * An interface is its index, and its name only where the index is unknown. It adds its counters when it
 * first appears, and from then on what {@linkcode bytesSince} counts. A missing interface keeps its
 * share; one that returns continues from its last counters. Speeds come from bytes of interfaces that
 * were present before, not from the counters of new ones.
 */
export class TrafficTotal {
  readonly #present = new Map<string, LastCounters>();
  /** The oldest first. */
  readonly #gone: LastCounters[] = [];
  readonly #total: Bytes = { sentBytes: 0, receivedBytes: 0 };
  readonly #observed: Bytes = { sentBytes: 0, receivedBytes: 0 };

  /** Adds the current counters of an interface; `index` is needed when it first appears. */
  add(now: InterfaceCounters, index?: number): void {
    const isNew = !this.#present.has(now.name);
    const last = this.#last(now.name, index);
    const { sentBytes, receivedBytes } = bytesSince(last, now);
    last.sentBytes = highest(last.sentBytes, now.sentBytes);
    last.receivedBytes = highest(last.receivedBytes, now.receivedBytes);
    this.#total.sentBytes += sentBytes;
    this.#total.receivedBytes += receivedBytes;
    if (isNew) return;
    this.#observed.sentBytes += sentBytes;
    this.#observed.receivedBytes += receivedBytes;
  }

  /** Makes an interface go on from its current counters, which others have counted or nobody should. */
  skip({ name, sentBytes, receivedBytes }: InterfaceCounters, index?: number): void {
    const last = this.#last(name, index);
    last.sentBytes = sentBytes;
    last.receivedBytes = receivedBytes;
  }

  /** Total bytes. */
  bytes(): TrafficBytes {
    return { ...this.#total };
  }

  /** The last counters of each interface, missing ones first. */
  counters(): Map<string, TrafficBytes> {
    return new Map(
      this.#all().map(({ name, sentBytes, receivedBytes }) => {
        return [name, { sentBytes, receivedBytes }];
      }),
    );
  }

  /** Indexes of the interfaces in {@linkcode TrafficTotal.counters}, where they are known. */
  indexes(): Map<string, number> {
    const indexes = new Map<string, number>();
    for (const { name, index } of this.#all()) {
      if (index === undefined) indexes.delete(name);
      else indexes.set(name, index);
    }
    return indexes;
  }

  /** Marks an interface as missing. */
  markGone(name: string): void {
    const last = this.#present.get(name);
    if (last === undefined) return;
    this.#present.delete(name);
    this.restore(name, last, last.index);
  }

  /** Makes an interface that is there go on from the counters of an earlier run, if those are higher. */
  resume(name: string, last: TrafficBytes): void {
    const now = this.#present.get(name);
    if (now === undefined) return;
    now.sentBytes = highest(last.sentBytes, now.sentBytes);
    now.receivedBytes = highest(last.receivedBytes, now.receivedBytes);
  }

  /** Sets the last counters of a missing interface, in case it returns. */
  restore(name: string, { sentBytes, receivedBytes }: TrafficBytes, index?: number): void {
    this.#gone.push({ name, index, sentBytes, receivedBytes });
    if (this.#gone.length > MAX_GONE) this.#gone.shift();
  }

  /** Bytes of known interfaces up to a time of a monotonic clock, from which speeds are computed. */
  passedAt(atMs: number): TimedBytes {
    return { ...this.#observed, atMs };
  }

  #all(): LastCounters[] {
    return [...this.#gone, ...this.#present.values()];
  }

  /** The last counters of a present interface: at first those that it had when it went missing, or 0. */
  #last(name: string, index: number | undefined): LastCounters {
    let last = this.#present.get(name);
    if (last === undefined) {
      const { sentBytes, receivedBytes } = this.#takeGone(name, index) ??
        { sentBytes: 0, receivedBytes: 0 };
      last = { name, index, sentBytes, receivedBytes };
      this.#present.set(name, last);
    }
    last.index ??= index;
    return last;
  }

  /** Removes the missing interface that has the index, else the name, and returns its counters. */
  #takeGone(name: string, index: number | undefined): TrafficBytes | undefined {
    const byIndex = this.#gone.findLastIndex((it) => index !== undefined && it.index === index);
    // One with another index is another one, whose name was taken.
    const at = byIndex >= 0
      ? byIndex
      : this.#gone.findLastIndex((it) =>
        it.name === name && (index === undefined || it.index === undefined)
      );
    return at < 0 ? undefined : this.#gone.splice(at, 1)[0];
  }
}
