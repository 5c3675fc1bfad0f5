import { backoffMs } from "../backoff.ts";
import { INTERVAL_SECONDS } from "../config/parsers.ts";
import { isSameTransport, type Transport } from "./transport.ts";

/** Time after the first failure in which the interval is kept. */
const FAST_RETRY_MS = 5 * 60_000;
/** The longest delay, so that a panel that is back gets reports soon. */
const LONGEST_BACKOFF_MS = 30_000;

/** Settings of a schedule. */
export interface ReportScheduleOptions {
  readonly intervalMs: number;
  /** From 0 up to, but not including, 1. */
  readonly random: () => number;
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

  /** Gives the delay from `nowMs` on, in milliseconds, after a success or a failure. */
  next(nowMs: number, succeeded: boolean): number {
    if (succeeded) {
      this.#failingSinceMs = undefined;
      this.#delayed = 0;
      return this.#nextAtRate(nowMs);
    }
    this.#failingSinceMs ??= nowMs;
    if (nowMs - this.#failingSinceMs < FAST_RETRY_MS) return this.#nextAtRate(nowMs);
    const { intervalMs, random } = this.#options;
    this.#delayed++;
    const longerMs = backoffMs(this.#delayed, {
      baseMs: intervalMs,
      maxMs: LONGEST_BACKOFF_MS,
      random: random(),
    });
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
  readonly intervalMs: number | undefined;
  /** A time at which reports of all panels are due; absent with a single panel. */
  readonly phaseMs: number | undefined;
  /** The interval was longer than a WebSocket allows. */
  onClamp(): void;
  /** The next report is due. */
  onDue(transport: Transport): void;
}

/** Calls back when the next report is due. */
export class ReportTimer {
  readonly #options: ReportTimerOptions;
  #transport: Transport | undefined;
  #schedule: ReportSchedule | undefined;
  /** Repeats at the interval: the runtime needs a quarter less CPU than for a new timer each time. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer fires next. */
  #tickMs = 0;
  /** Whether the next report is due when the timer fires; not while one by POST is in flight. */
  #isAwaited = false;

  constructor(options: ReportTimerOptions) {
    this.#options = options;
  }

  /** Starts for a transport whose first report is being sent, or stops when there is none. */
  start(transport: Transport | undefined): void {
    this.#stop();
    this.#transport = transport;
    this.#schedule = transport && new ReportSchedule(performance.now(), {
      intervalMs: this.#clampedIntervalMs(transport),
      random: Math.random,
      phaseMs: this.#options.phaseMs,
    });
  }

  /** Schedules the next report after one by this transport; ignores other transports. */
  next(transport: Transport, succeeded: boolean): void {
    if (!isSameTransport(transport, this.#transport) || this.#schedule === undefined) return;
    const nowMs = performance.now();
    const delayMs = this.#schedule.next(nowMs, succeeded);
    this.#isAwaited = true;
    const offMs = Math.abs(nowMs + delayMs - this.#tickMs);
    const { phaseIndex } = this.#schedule;
    const isCommonRestart = phaseIndex !== undefined && phaseIndex % COMMON_RESTART === 0;
    const isOnTime = offMs <= this.intervalMs(transport) * TOLERANCE && !isCommonRestart;
    if (this.#timer === undefined || !isOnTime) this.#restart(transport, delayMs);
  }

  /** Time between two reports by a transport. */
  intervalMs(transport: Transport): number {
    const { intervalMs } = this.#options;
    return transport.carrier === "WebSocket"
      ? Math.min(intervalMs ?? INTERVAL_SECONDS.webSocket * 1000, LONGEST_SOCKET_INTERVAL_MS)
      : intervalMs ?? INTERVAL_SECONDS.post * 1000;
  }

  #restart(transport: Transport, delayMs: number): void {
    clearTimeout(this.#timer);
    this.#tickMs = performance.now() + delayMs;
    this.#timer = setTimeout(() => {
      this.#timer = setInterval(() => this.#tick(transport), this.intervalMs(transport));
      this.#tick(transport);
    }, delayMs);
  }

  #tick(transport: Transport): void {
    this.#tickMs = performance.now() + this.intervalMs(transport);
    if (!this.#isAwaited) return;
    this.#isAwaited = false;
    this.#options.onDue(transport);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #clampedIntervalMs(transport: Transport): number {
    const { intervalMs: configuredMs = 0, onClamp } = this.#options;
    const isSocket = transport.carrier === "WebSocket";
    if (isSocket && configuredMs > LONGEST_SOCKET_INTERVAL_MS) onClamp();
    return this.intervalMs(transport);
  }
}
