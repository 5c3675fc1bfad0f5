/**
 * Deltas of kernel counters.
 *
 * @module
 */

import type { InterfaceCounters } from "../parse/net_dev.ts";
import type { Traffic, TrafficBytes } from "../types.ts";

/**
 * What a counter grew by between two readings.
 *
 * `undefined` when it fell: it was reset, or it wrapped, and which of the two can't be told from
 * two readings; no growth is better than an invented one.
 */
export function counterIncrease(previous: number, current: number): number | undefined {
  return current >= previous ? current - previous : undefined;
}

/**
 * Growth per second; `undefined` when no time went by, when the clock was set back, or when the
 * counter fell.
 */
export function ratePerSecond(
  previous: { value: number; atMs: number },
  current: { value: number; atMs: number },
): number | undefined {
  const elapsedMs = current.atMs - previous.atMs;
  const grown = counterIncrease(previous.value, current.value);
  if (grown === undefined || !(elapsedMs > 0)) return undefined;
  return grown * 1000 / elapsedMs;
}

/** Counters of interfaces that left are kept for this many, in case they return. */
const MAX_GONE = 64;

interface Bytes {
  sentBytes: number;
  receivedBytes: number;
}

/**
 * Adds up counters of interfaces that come, go and start anew, so that the sum never falls.
 *
 * The total is what each interface brought along when it was first added and what it grew by since.
 * One that leaves leaves its bytes there; one that returns with its counters goes on from them; a
 * counter that fell adds nothing for that step. Only growth between two steps is speed: what an
 * interface brings along is not.
 */
export class TrafficTotal {
  readonly #present = new Map<string, Bytes>();
  readonly #gone = new Map<string, Bytes>();
  readonly #total: Bytes = { sentBytes: 0, receivedBytes: 0 };
  readonly #observed: Bytes = { sentBytes: 0, receivedBytes: 0 };
  #previous: (Bytes & { atMs: number }) | undefined;

  /** Takes in an interface's present counters. */
  add(now: InterfaceCounters): void {
    const last = this.#present.get(now.name);
    this.#present.set(now.name, now);
    if (last === undefined) return this.#addFirst(now);
    const sentBytes = counterIncrease(last.sentBytes, now.sentBytes) ?? 0;
    const receivedBytes = counterIncrease(last.receivedBytes, now.receivedBytes) ?? 0;
    this.#total.sentBytes += sentBytes;
    this.#total.receivedBytes += receivedBytes;
    this.#observed.sentBytes += sentBytes;
    this.#observed.receivedBytes += receivedBytes;
  }

  /** Whether no interface was ever added. */
  isEmpty(): boolean {
    return this.#present.size + this.#gone.size === 0;
  }

  /** The total alone, without a step of the speed. */
  bytes(): TrafficBytes {
    return { ...this.#total };
  }

  /** The last counters of each interface, those that are gone first. */
  counters(): Map<string, TrafficBytes> {
    return new Map([...this.#gone, ...this.#present]);
  }

  /** Whether an interface is there at present. */
  has(name: string): boolean {
    return this.#present.has(name);
  }

  /** Notes that an interface is gone. */
  markGone(name: string): void {
    const last = this.#present.get(name);
    if (last === undefined) return;
    this.#present.delete(name);
    this.restore(name, last);
  }

  /** Notes the last counters of an interface that is gone, in case it returns. */
  restore(name: string, last: TrafficBytes): void {
    this.#gone.set(name, last);
    const [oldest] = this.#gone.keys();
    if (this.#gone.size > MAX_GONE && oldest !== undefined) this.#gone.delete(oldest);
  }

  /** The sum at a moment of a clock that only runs forward; speeds since the moment asked for before. */
  trafficAt(atMs: number): Traffic {
    const { sentBytes, receivedBytes } = this.#observed;
    const before = this.#previous;
    this.#previous = { sentBytes, receivedBytes, atMs };
    const traffic: Traffic = { ...this.#total };
    if (before === undefined) return traffic;
    const since = before.atMs;
    const sent = ratePerSecond({ value: before.sentBytes, atMs: since }, {
      value: sentBytes,
      atMs,
    });
    const received = ratePerSecond(
      { value: before.receivedBytes, atMs: since },
      { value: receivedBytes, atMs },
    );
    if (sent !== undefined) traffic.sentBytesPerSecond = sent;
    if (received !== undefined) traffic.receivedBytesPerSecond = received;
    return traffic;
  }

  #addFirst(now: InterfaceCounters): void {
    const left = this.#gone.get(now.name);
    this.#gone.delete(now.name);
    const { sentBytes, receivedBytes } = initialBytes(left, now);
    this.#total.sentBytes += sentBytes;
    this.#total.receivedBytes += receivedBytes;
  }
}

/** What passed through an interface while nobody looked, or all of it when its counters are new. */
export function initialBytes(last: TrafficBytes | undefined, now: TrafficBytes): TrafficBytes {
  const sentBytes = last && counterIncrease(last.sentBytes, now.sentBytes);
  const receivedBytes = last && counterIncrease(last.receivedBytes, now.receivedBytes);
  // Both went on from where they were: the same device is back. Else it is a new one that began at 0.
  const same = sentBytes !== undefined && receivedBytes !== undefined;
  if (same) return { sentBytes, receivedBytes };
  return { sentBytes: now.sentBytes, receivedBytes: now.receivedBytes };
}
