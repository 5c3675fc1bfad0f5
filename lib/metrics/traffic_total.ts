/**
 * Totals and rates of byte counters that may be reset.
 *
 * @module
 */

import type { InterfaceCounters } from "../parse/net_dev.ts";
import type { Traffic, TrafficBytes } from "../types.ts";

/**
 * Increase of a counter between two readings; `undefined` when it fell, because a reset and a wrap
 * can't be distinguished.
 */
export function counterIncrease(previous: number, current: number): number | undefined {
  return current >= previous ? current - previous : undefined;
}

/**
 * Increase per second; `undefined` when no time has passed, when the clock went back, or when the
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

/** Number of missing interfaces whose counters are kept in case they return. */
const MAX_GONE = 64;

interface Bytes {
  sentBytes: number;
  receivedBytes: number;
}

/**
 * Adds up the counters of interfaces that appear, disappear and restart at 0, so that the total never
 * falls.
 *
 * An interface adds its counters when it first appears, and their increase from then on. A missing
 * interface keeps its share; one that returns with its counters continues from them; a counter that
 * fell adds nothing in that step. Rates include increases only, not the counters of new interfaces.
 */
export class TrafficTotal {
  readonly #present = new Map<string, Bytes>();
  readonly #gone = new Map<string, Bytes>();
  readonly #total: Bytes = { sentBytes: 0, receivedBytes: 0 };
  readonly #observed: Bytes = { sentBytes: 0, receivedBytes: 0 };
  #previous: (Bytes & { atMs: number }) | undefined;

  /** Adds the current counters of an interface. */
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

  /** Whether an interface is present. */
  has(name: string): boolean {
    return this.#present.has(name);
  }

  /** Marks an interface as missing. */
  markGone(name: string): void {
    const last = this.#present.get(name);
    if (last === undefined) return;
    this.#present.delete(name);
    this.restore(name, last);
  }

  /** Sets the last counters of a missing interface, in case it returns. */
  restore(name: string, last: TrafficBytes): void {
    this.#gone.set(name, last);
    const [oldest] = this.#gone.keys();
    if (this.#gone.size > MAX_GONE && oldest !== undefined) this.#gone.delete(oldest);
  }

  /** Totals at a time of a monotonic clock, and rates since the previous call. */
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

/** Bytes since the last counters of an interface, or all of them when its counters restarted. */
export function initialBytes(last: TrafficBytes | undefined, now: TrafficBytes): TrafficBytes {
  const sentBytes = last && counterIncrease(last.sentBytes, now.sentBytes);
  const receivedBytes = last && counterIncrease(last.receivedBytes, now.receivedBytes);
  // If either counter fell, it is a new device that started at 0.
  const same = sentBytes !== undefined && receivedBytes !== undefined;
  if (same) return { sentBytes, receivedBytes };
  return { sentBytes: now.sentBytes, receivedBytes: now.receivedBytes };
}
