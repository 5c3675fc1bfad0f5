import type { Source } from "../host/host.ts";
import { parseUptime } from "../parse/uptime.ts";
import type { Collector } from "./collector.ts";

/** Interval at which the kernel is asked again. */
const REFRESH_MS = 60_000;
/** A larger difference between both clocks: one was set, or stood still while the machine slept. */
const TOLERANCE_MS = 500;

/**
 * Measures the uptime from `/proc/uptime`, which is read once a minute. In between it grows as the
 * monotonic clock does, which costs nothing; after a sleep of the machine it is read at once.
 */
export class UptimeCollector implements Collector<number> {
  readonly #source: Source;
  #read: { seconds: number; atMs: number; wallMs: number } | undefined;

  constructor(source: Source) {
    this.#source = source;
  }

  /**
   * Seconds since boot, with a fraction.
   *
   * @throws {SyntaxError} When the kernel's text is malformed.
   */
  collect(): number | undefined {
    const atMs = performance.now();
    const wallMs = Date.now();
    const last = this.#read;
    if (last !== undefined) {
      const passedMs = atMs - last.atMs;
      const isSteady = Math.abs(wallMs - last.wallMs - passedMs) <= TOLERANCE_MS;
      if (passedMs < REFRESH_MS && isSteady) return last.seconds + passedMs / 1000;
    }
    this.#read = undefined;
    const text = this.#source.read();
    if (text === undefined) return undefined;
    const seconds = parseUptime(text);
    this.#read = { seconds, atMs, wallMs };
    return seconds;
  }
}
