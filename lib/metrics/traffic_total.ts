import type { InterfaceCounters } from "../parse/net_dev.ts";
import type { Traffic, TrafficBytes } from "../types.ts";

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

/**
 * The counters from which {@linkcode bytesSince} goes on: the highest that an interface has shown since
 * its last reset, so that what swings counts once.
 */
export function highestSince(last: TrafficBytes | undefined, now: TrafficBytes): TrafficBytes {
  return {
    sentBytes: highest(last?.sentBytes ?? 0, now.sentBytes),
    receivedBytes: highest(last?.receivedBytes ?? 0, now.receivedBytes),
  };
}

function increase(last: number, now: number): number {
  return isReset(last, now) ? now : Math.max(now - last, 0);
}

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

/**
 * Adds up the counters of interfaces that appear, disappear, are renamed and restart at 0, so that the
 * total never falls.
 *
 * An interface adds its counters when it first appears, and from then on what
 * {@linkcode bytesSince} counts. A missing interface keeps its share; one that returns, under its
 * name or with its index, continues from its last counters. Rates include only bytes of interfaces
 * that were present before, not the counters of new ones.
 */
export class TrafficTotal {
  readonly #present = new Map<string, TrafficBytes>();
  readonly #gone = new Map<string, TrafficBytes>();
  readonly #indexes = new Map<string, number>();
  readonly #total: Bytes = { sentBytes: 0, receivedBytes: 0 };
  readonly #observed: Bytes = { sentBytes: 0, receivedBytes: 0 };
  #previous: (Bytes & { atMs: number }) | undefined;
  #rates: Omit<Traffic, keyof Bytes> | undefined;

  /** Adds the current counters of an interface; `index` is needed when it first appears. */
  add(now: InterfaceCounters, index?: number): void {
    const last = this.#present.get(now.name);
    const former = last ?? this.#takeGone(now.name, index);
    const { sentBytes, receivedBytes } = bytesSince(former, now);
    this.#present.set(now.name, highestSince(former, now));
    this.#total.sentBytes += sentBytes;
    this.#total.receivedBytes += receivedBytes;
    if (last === undefined) {
      if (index !== undefined) this.#indexes.set(now.name, index);
      return;
    }
    this.#observed.sentBytes += sentBytes;
    this.#observed.receivedBytes += receivedBytes;
  }

  /** Whether no interface has been added yet. */
  isEmpty(): boolean {
    return this.#present.size + this.#gone.size === 0;
  }

  /** Total bytes; does not affect the rates. */
  bytes(): TrafficBytes {
    return { ...this.#total };
  }

  /** The last counters of each interface, missing ones first. */
  counters(): Map<string, TrafficBytes> {
    return new Map([...this.#gone, ...this.#present]);
  }

  /** Indexes of the interfaces in {@linkcode TrafficTotal.counters}, where they are known. */
  indexes(): Map<string, number> {
    return new Map(this.#indexes);
  }

  /** Marks an interface as missing. */
  markGone(name: string): void {
    const last = this.#present.get(name);
    if (last === undefined) return;
    this.#present.delete(name);
    this.restore(name, last, this.#indexes.get(name));
  }

  /** Makes an interface that is there go on from the counters of an earlier run, if those are higher. */
  resume(name: string, last: TrafficBytes): void {
    const now = this.#present.get(name);
    if (now !== undefined) this.#present.set(name, highestSince(last, now));
  }

  /** Sets the last counters of a missing interface, in case it returns. */
  restore(name: string, last: TrafficBytes, index?: number): void {
    this.#gone.set(name, last);
    if (index !== undefined) this.#indexes.set(name, index);
    const [oldest] = this.#gone.keys();
    if (this.#gone.size > MAX_GONE && oldest !== undefined) this.#forget(oldest);
  }

  /** Totals at a time of a monotonic clock, and rates since the previous call at another time. */
  trafficAt(atMs: number): Traffic {
    const { sentBytes, receivedBytes } = this.#observed;
    const previous = this.#previous;
    const elapsedMs = previous === undefined ? 0 : atMs - previous.atMs;
    if (previous !== undefined && elapsedMs > 0) {
      this.#rates = {
        sentBytesPerSecond: (sentBytes - previous.sentBytes) * 1000 / elapsedMs,
        receivedBytesPerSecond: (receivedBytes - previous.receivedBytes) * 1000 / elapsedMs,
      };
    }
    if (elapsedMs !== 0 || previous === undefined) {
      this.#previous = { sentBytes, receivedBytes, atMs };
    }
    return { ...this.#total, ...this.#rates };
  }

  /** Removes a missing interface of that name, else one that had the index, and returns its counters. */
  #takeGone(name: string, index: number | undefined): TrafficBytes | undefined {
    const goneName = this.#gone.has(name) ? name : this.#goneNameOf(index);
    if (goneName === undefined) return undefined;
    const last = this.#gone.get(goneName);
    this.#forget(goneName);
    return last;
  }

  #goneNameOf(index: number | undefined): string | undefined {
    if (index === undefined) return undefined;
    return [...this.#gone.keys()].find((name) => this.#indexes.get(name) === index);
  }

  #forget(name: string): void {
    this.#gone.delete(name);
    this.#indexes.delete(name);
  }
}
