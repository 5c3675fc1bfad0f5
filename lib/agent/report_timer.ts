import { backoffMs } from "../async/backoff.ts";
import { INTERVAL_SECONDS } from "../config/parsers.ts";
import { getLogger } from "../log/log.ts";
import type { Transport } from "../panel/transport.ts";

/** Time after the first failure in which the interval is kept. */
const FAST_RETRY_MS = 5 * 60_000;
/** The longest delay, so that a panel that is back gets reports soon. */
const LONGEST_BACKOFF_MS = 30_000;

/** Settings of a schedule. */
export interface ReportScheduleOptions {
  readonly intervalMs: number;
  /** A time at which a report of another panel is due, so that both wake up the machine together. */
  readonly phaseMs?: number | undefined;
}

/**
 * Computes when the next report is due.
 *
 * The rate is fixed, so that a slow answer does not lengthen the interval. After five minutes of
 * failures the delay doubles up to 30 s, with jitter, so that many agents don't return at once.
 */
export class ReportSchedule {
  readonly #options: ReportScheduleOptions;
  #dueMs: number;
  #failingSinceMs: number | undefined;
  /** Delays in a row that are longer than the interval. */
  #delayed = 0;

  constructor(nowMs: number, options: ReportScheduleOptions) {
    this.#options = options;
    const { intervalMs, phaseMs = nowMs } = options;
    // The due time next to now; the first interval is between half and one and a half.
    this.#dueMs = phaseMs + Math.round((nowMs - phaseMs) / intervalMs) * intervalMs;
  }

  /**
   * Gives the delay from `nowMs` on, in milliseconds, after a success or a failure; `random` is from 0
   * up to, but not including, 1.
   */
  next(nowMs: number, { succeeded, random }: { succeeded: boolean; random: number }): number {
    if (succeeded) {
      this.#failingSinceMs = undefined;
      this.#delayed = 0;
      return this.#nextAtRate(nowMs);
    }
    this.#failingSinceMs ??= nowMs;
    if (nowMs - this.#failingSinceMs < FAST_RETRY_MS) return this.#nextAtRate(nowMs);
    const { intervalMs } = this.#options;
    this.#delayed++;
    const maxMs = LONGEST_BACKOFF_MS;
    const longerMs = backoffMs(this.#delayed, { baseMs: intervalMs, maxMs, random });
    const delayMs = Math.max(intervalMs, longerMs);
    this.#dueMs = nowMs + delayMs;
    return delayMs;
  }

  /** When the next report is due, counted in intervals from the common phase, if there is one. */
  get phaseIndex(): number | undefined {
    const { intervalMs, phaseMs } = this.#options;
    return phaseMs === undefined ? undefined : Math.round((this.#dueMs - phaseMs) / intervalMs);
  }

  /** Gives the delay to the next due time; those that were missed are dropped. */
  #nextAtRate(nowMs: number): number {
    const { intervalMs } = this.#options;
    const missed = Math.max(0, Math.floor((nowMs - this.#dueMs) / intervalMs));
    this.#dueMs += (missed + 1) * intervalMs;
    return this.#dueMs - nowMs;
  }
}

/** Panels up to 1.5 close a WebSocket 11 s after the last data frame. */
const LONGEST_SOCKET_INTERVAL_MS = 10_000;

/** How far a repeating timer may be off before it is set anew, as a part of the interval. */
const TOLERANCE = 0.05;
/**
 * Each of so many due times sets the timers of all panels anew: they are late by most of a millisecond
 * each time, and would otherwise be set anew at different times, and up to the tolerance apart.
 */
const COMMON_RESTART = 16;

/** Settings of a timer. */
export interface ReportTimerOptions {
  /** Time between two reports; by default each kind of transport has its own. */
  readonly intervalSeconds: number | undefined;
  /** A time at which reports of all panels are due; absent with a single panel. */
  readonly phaseMs: number | undefined;
  /** Sends the report that is due; whether the panel has accepted it. */
  report(transport: Transport): Promise<boolean>;
}

/** Reports at an interval. */
export class ReportTimer {
  readonly #options: ReportTimerOptions;
  #schedule: ReportSchedule | undefined;
  /** Repeats at the interval: a new timer for each report takes 47 µs more of its 800 µs. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer fires next. */
  #tickMs = 0;
  /** Whether the next report is due when the timer fires; not while one by POST is in flight. */
  #isAwaited = false;
  #isClampLogged = false;

  constructor(options: ReportTimerOptions) {
    this.#options = options;
  }

  /** Starts for a transport that was just reported by, or stops when there is none. */
  start(transport: Transport | undefined): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#schedule = undefined;
    if (transport === undefined) return;
    this.#logClamped(transport);
    const intervalMs = this.intervalMs(transport);
    const { phaseMs } = this.#options;
    this.#schedule = new ReportSchedule(performance.now(), { intervalMs, phaseMs });
    this.#arm(transport, { schedule: this.#schedule, succeeded: true });
  }

  /** Time between two reports by a transport, in milliseconds. */
  intervalMs({ carrier }: Transport): number {
    const { intervalSeconds } = this.#options;
    if (carrier === "POST") return (intervalSeconds ?? INTERVAL_SECONDS.post) * 1000;
    const seconds = intervalSeconds ?? INTERVAL_SECONDS.webSocket;
    return Math.min(seconds * 1000, LONGEST_SOCKET_INTERVAL_MS);
  }

  /** Makes the timer fire when the next report is due, after one that has succeeded or failed. */
  #arm(
    transport: Transport,
    { schedule, succeeded }: { schedule: ReportSchedule; succeeded: boolean },
  ): void {
    const nowMs = performance.now();
    const delayMs = schedule.next(nowMs, { succeeded, random: Math.random() });
    this.#isAwaited = true;
    const offMs = Math.abs(nowMs + delayMs - this.#tickMs);
    const { phaseIndex } = schedule;
    const isCommonRestart = phaseIndex !== undefined && phaseIndex % COMMON_RESTART === 0;
    const isOnTime = offMs <= this.intervalMs(transport) * TOLERANCE && !isCommonRestart;
    if (this.#timer === undefined || !isOnTime) this.#restart(transport, delayMs);
  }

  #restart(transport: Transport, delayMs: number): void {
    clearTimeout(this.#timer);
    this.#tickMs = performance.now() + delayMs;
    this.#timer = setTimeout(() => {
      this.#timer = setInterval(() => this.#tick(transport), this.intervalMs(transport));
      this.#tick(transport);
    }, delayMs);
  }

  async #tick(transport: Transport): Promise<void> {
    this.#tickMs = performance.now() + this.intervalMs(transport);
    const schedule = this.#schedule;
    if (!this.#isAwaited || schedule === undefined) return;
    this.#isAwaited = false;
    const reporting = this.#options.report(transport);
    // Reports by WebSocket don't wait for each other: a slow answer must not delay the next one.
    const succeeded = transport.carrier === "WebSocket" || await reporting;
    if (schedule === this.#schedule) this.#arm(transport, { schedule, succeeded });
  }

  /** Logs once that the interval is longer than a WebSocket allows. */
  #logClamped({ carrier }: Transport): void {
    const { intervalSeconds = 0 } = this.#options;
    if (carrier === "POST" || intervalSeconds * 1000 <= LONGEST_SOCKET_INTERVAL_MS) return;
    if (this.#isClampLogged) return;
    this.#isClampLogged = true;
    getLogger("panel").info(
      "Reports are sent every 10 s: the panel closes a WebSocket that is idle for 11 s",
    );
  }
}
