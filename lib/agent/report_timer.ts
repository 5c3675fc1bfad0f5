import { INTERVAL_SECONDS } from "../config/parsers.ts";
import { getLogger } from "../log/log.ts";
import type { Transport } from "../panel/transport.ts";

/** Computes when the next report is due; the rate is fixed, so that a slow answer does not lengthen the interval. */
export class ReportSchedule {
  readonly #intervalMs: number;
  #dueMs: number;

  /**
   * @param options `phaseMs`: a time at which a report of another panel is due, so that both wake up
   * the machine together.
   */
  constructor(
    nowMs: number,
    { intervalMs, phaseMs }: { intervalMs: number; phaseMs?: number | undefined },
  ) {
    this.#intervalMs = intervalMs;
    const fromMs = phaseMs ?? nowMs;
    // The due time next to now; the first interval is between half and one and a half.
    this.#dueMs = fromMs + Math.round((nowMs - fromMs) / intervalMs) * intervalMs;
  }

  /** Gives the delay from `nowMs` to the next due time, in milliseconds; those that were missed are dropped. */
  next(nowMs: number): number {
    const intervalMs = this.#intervalMs;
    const missed = Math.max(0, Math.floor((nowMs - this.#dueMs) / intervalMs));
    this.#dueMs += (missed + 1) * intervalMs;
    return this.#dueMs - nowMs;
  }
}

/** Panels up to 1.5 close a WebSocket 11 s after the last data frame. */
const LONGEST_SOCKET_INTERVAL_MS = 10_000;

/**
 * A timer that repeats fires a little later each time. Once it would be off by this time it is set
 * anew, and not for each report, which would cost more than a twentieth of it.
 */
const MAX_OFF_MS = 20;

/** The reports by one transport. */
interface Reports {
  readonly transport: Transport;
  readonly intervalMs: number;
  readonly schedule: ReportSchedule;
  /** Sends the one that is due. */
  send(): Promise<unknown>;
}

/** Reports at an interval. */
export class ReportTimer {
  readonly #intervalSeconds: number | undefined;
  readonly #phaseMs: number | undefined;
  #current: Reports | undefined;
  /** Repeats at the interval. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When it fires next, once it has fired. */
  #firesAtMs = 0;
  /** Whether a report is to be sent then: not while one by POST is in flight. */
  #isAwaited = false;
  #isCapLogged = false;

  /**
   * @param intervalSeconds Time between two reports; by default each kind of transport has its own.
   * @param phaseMs A time at which reports of all panels are due; absent with a single panel.
   */
  constructor(intervalSeconds: number | undefined, phaseMs?: number) {
    this.#intervalSeconds = intervalSeconds;
    this.#phaseMs = phaseMs;
  }

  /** Starts for a transport that was just reported by; logs once if reports are more frequent than asked for. */
  start(transport: Transport, send: () => Promise<unknown>): void {
    this.stop();
    const intervalMs = this.intervalMs(transport);
    const seconds = this.#intervalSeconds ?? 0;
    if (intervalMs < seconds * 1000 && !this.#isCapLogged) {
      this.#isCapLogged = true;
      getLogger("panel").info(
        "Reports are sent every 10 s, not every {seconds} s: panels close a WebSocket that is silent for 11 s",
        { seconds },
      );
    }
    const schedule = new ReportSchedule(performance.now(), { intervalMs, phaseMs: this.#phaseMs });
    this.#current = { transport, intervalMs, schedule, send };
    this.#awaitNext(this.#current);
  }

  /** Stops the reports. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#current = undefined;
  }

  /** Time between two reports by a transport, in milliseconds. */
  intervalMs({ carrier }: Transport): number {
    if (carrier === "POST") return (this.#intervalSeconds ?? INTERVAL_SECONDS.post) * 1000;
    const ms = (this.#intervalSeconds ?? INTERVAL_SECONDS.webSocket) * 1000;
    return Math.min(ms, LONGEST_SOCKET_INTERVAL_MS);
  }

  /** Lets the timer fire when the next report is due. */
  #awaitNext(reports: Reports): void {
    const nowMs = performance.now();
    const delayMs = reports.schedule.next(nowMs);
    this.#isAwaited = true;
    const offMs = Math.abs(nowMs + delayMs - this.#firesAtMs);
    if (this.#timer !== undefined && offMs <= MAX_OFF_MS) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = setInterval(() => this.#fire(reports), reports.intervalMs);
      this.#fire(reports);
    }, delayMs);
  }

  async #fire(reports: Reports): Promise<void> {
    this.#firesAtMs = performance.now() + reports.intervalMs;
    if (!this.#isAwaited) return;
    this.#isAwaited = false;
    const reporting = reports.send();
    // Reports by WebSocket don't wait for each other: a slow answer must not delay the next one.
    if (reports.transport.carrier === "POST") await reporting;
    if (reports === this.#current) this.#awaitNext(reports);
  }
}
