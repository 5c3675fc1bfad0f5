import { isWebSocket, type Transport } from "./link_machine.ts";

/** For so long after the first failure a report is tried at its usual interval. */
const FAST_RETRY_MS = 5 * 60_000;
/** The slowest pace, so that a panel that returns has us back soon. */
const LONGEST_BACKOFF_MS = 30_000;

/** What a pace is made of; time and chance are given, so that it can be tested. */
export interface ReportScheduleOptions {
  readonly intervalMs: number;
  /** From 0 up to, but not including, 1. */
  readonly random: () => number;
}

/**
 * Decides when the next try is due.
 *
 * Usually at a fixed rate, so that a slow answer does not stretch the interval; after five minutes
 * of failures slower, doubling up to 30 s, with jitter, so that many agents don't return at once.
 */
export class ReportSchedule {
  readonly #options: ReportScheduleOptions;
  #dueMs: number;
  #failingSinceMs: number | undefined;
  #stepMs: number;

  constructor(nowMs: number, options: ReportScheduleOptions) {
    this.#options = options;
    this.#dueMs = nowMs;
    this.#stepMs = options.intervalMs;
  }

  /** Milliseconds to wait from `nowMs` on, after a try that went well or not. */
  next(nowMs: number, succeeded: boolean): number {
    if (succeeded) {
      this.#failingSinceMs = undefined;
      this.#stepMs = this.#options.intervalMs;
      return this.#nextAtRate(nowMs);
    }
    this.#failingSinceMs ??= nowMs;
    if (nowMs - this.#failingSinceMs < FAST_RETRY_MS) return this.#nextAtRate(nowMs);
    const { intervalMs, random } = this.#options;
    this.#stepMs = Math.max(intervalMs, Math.min(this.#stepMs * 2, LONGEST_BACKOFF_MS));
    const delayMs = Math.max(intervalMs, this.#stepMs * (0.5 + random() / 2));
    this.#dueMs = nowMs + delayMs;
    return delayMs;
  }

  /** The next beat that still lies ahead; beats that were missed are dropped. */
  #nextAtRate(nowMs: number): number {
    const { intervalMs } = this.#options;
    const missed = Math.max(0, Math.floor((nowMs - this.#dueMs) / intervalMs));
    this.#dueMs += (missed + 1) * intervalMs;
    return this.#dueMs - nowMs;
  }
}

/** The panel drops a WebSocket that has been silent for 11 s. */
const LONGEST_SOCKET_INTERVAL_MS = 10_000;
const SOCKET_INTERVAL_MS = 3_000;
const POST_INTERVAL_MS = 5_000;

/** What a beat is made of. */
export interface ReportTimerOptions {
  /** Time between two reports; each kind of transport has its own when absent. */
  readonly intervalMs: number | undefined;
  /** The interval was longer than a WebSocket allows. */
  onClamp(): void;
  /** The next report is due. */
  onDue(transport: Transport): void;
}

/** When the next report is due, by the transport that is in use. */
export class ReportTimer {
  readonly #options: ReportTimerOptions;
  #transport: Transport | undefined;
  #schedule: ReportSchedule | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ReportTimerOptions) {
    this.#options = options;
  }

  /** Starts anew for another transport, or rests when there is none; the first report leaves right now. */
  start(transport: Transport | undefined): void {
    clearTimeout(this.#timer);
    this.#transport = transport;
    this.#schedule = transport && new ReportSchedule(performance.now(), {
      intervalMs: this.#intervalToKeep(transport),
      random: Math.random,
    });
  }

  /** A report by this transport went well or not; transports that are not in use any more don't count. */
  next(transport: Transport, succeeded: boolean): void {
    if (transport !== this.#transport || this.#schedule === undefined) return;
    clearTimeout(this.#timer);
    const ms = this.#schedule.next(performance.now(), succeeded);
    this.#timer = setTimeout(() => this.#options.onDue(transport), ms);
  }

  /** Time between two reports by a transport. */
  intervalMs(transport: Transport): number {
    const { intervalMs } = this.#options;
    return isWebSocket(transport)
      ? Math.min(intervalMs ?? SOCKET_INTERVAL_MS, LONGEST_SOCKET_INTERVAL_MS)
      : intervalMs ?? POST_INTERVAL_MS;
  }

  #intervalToKeep(transport: Transport): number {
    const { intervalMs: wantedMs = 0, onClamp } = this.#options;
    if (isWebSocket(transport) && wantedMs > LONGEST_SOCKET_INTERVAL_MS) onClamp();
    return this.intervalMs(transport);
  }
}
