import { backoffMs } from "../async/backoff.ts";
import { INTERVAL_SECONDS } from "../config/parsers.ts";
import { getLogger } from "../log/log.ts";
import type { Transport } from "../panel/transport.ts";

/** Time after the first failure in which the interval is kept. */
const FAST_RETRY_MS = 5 * 60_000;
/** The longest delay, so that a panel that is back gets reports soon. */
const LONGEST_BACKOFF_MS = 30_000;

/**
 * Computes when the next report is due.
 *
 * The rate is fixed, so that a slow answer does not lengthen the interval. After five minutes of
 * failures the delay doubles up to 30 s, with jitter, so that many agents don't return at once.
 */
export class ReportSchedule {
  readonly #intervalMs: number;
  #dueMs: number;
  #failingSinceMs: number | undefined;
  /** Delays in a row that are longer than the interval. */
  #delayed = 0;

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
    const intervalMs = this.#intervalMs;
    this.#delayed++;
    const maxMs = LONGEST_BACKOFF_MS;
    const longerMs = backoffMs(this.#delayed, { baseMs: intervalMs, maxMs, random });
    const delayMs = Math.max(intervalMs, longerMs);
    this.#dueMs = nowMs + delayMs;
    return delayMs;
  }

  /** Gives the delay to the next due time; those that were missed are dropped. */
  #nextAtRate(nowMs: number): number {
    const intervalMs = this.#intervalMs;
    const missed = Math.max(0, Math.floor((nowMs - this.#dueMs) / intervalMs));
    this.#dueMs += (missed + 1) * intervalMs;
    return this.#dueMs - nowMs;
  }
}

/** Panels up to 1.5 close a WebSocket 11 s after the last data frame, whatever pings come. */
const LONGEST_SOCKET_INTERVAL_MS = 10_000;

/** The reports by one transport. */
interface Reports {
  readonly transport: Transport;
  readonly schedule: ReportSchedule;
  /** Sends the one that is due; whether the panel has accepted it. */
  send(): Promise<boolean>;
}

/** Reports at an interval. */
export class ReportTimer {
  readonly #intervalSeconds: number | undefined;
  readonly #phaseMs: number | undefined;
  #current: Reports | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Whether the current WebSocket is kept by pings, however seldom reports are. */
  #isKept = false;
  #isCapLogged = false;

  /**
   * @param intervalSeconds Time between two reports; by default each kind of transport has its own.
   * @param phaseMs A time at which reports of all panels are due; absent with a single panel.
   */
  constructor(intervalSeconds: number | undefined, phaseMs?: number) {
    this.#intervalSeconds = intervalSeconds;
    this.#phaseMs = phaseMs;
  }

  /** Starts for a transport that was just reported by; `send` gives whether the panel has accepted. */
  start(transport: Transport, send: () => Promise<boolean>): void {
    this.stop();
    this.#isKept = false;
    this.#run(transport, send);
  }

  /** Whether reports by a transport are more frequent than they should be. */
  isCapped({ carrier }: Transport): boolean {
    const wantedMs = (this.#intervalSeconds ?? 0) * 1000;
    return carrier === "WebSocket" && !this.#isKept && wantedMs > LONGEST_SOCKET_INTERVAL_MS;
  }

  /** Reports at the whole interval from now on, if pings keep the current WebSocket; logs it once if not. */
  setKept(isKept: boolean): void {
    if (isKept && this.#current !== undefined) {
      const { transport, send } = this.#current;
      this.stop();
      this.#isKept = true;
      this.#run(transport, send);
    } else if (!isKept && !this.#isCapLogged) {
      this.#isCapLogged = true;
      getLogger("panel").info(
        "Reports are sent every 10 s, not every {seconds} s: this panel closes a WebSocket that is silent for 11 s",
        { seconds: this.#intervalSeconds },
      );
    }
  }

  #run(transport: Transport, send: () => Promise<boolean>): void {
    const intervalMs = this.intervalMs(transport);
    const schedule = new ReportSchedule(performance.now(), { intervalMs, phaseMs: this.#phaseMs });
    this.#current = { transport, schedule, send };
    this.#awaitNext(this.#current, { succeeded: true });
  }

  /** Stops the reports. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#current = undefined;
  }

  /** Time between two reports by a transport, in milliseconds. */
  intervalMs({ carrier }: Transport): number {
    if (carrier === "POST") return (this.#intervalSeconds ?? INTERVAL_SECONDS.post) * 1000;
    const ms = (this.#intervalSeconds ?? INTERVAL_SECONDS.webSocket) * 1000;
    return this.#isKept ? ms : Math.min(ms, LONGEST_SOCKET_INTERVAL_MS);
  }

  /** Sets the timer of the next report, after one that has succeeded or failed. */
  #awaitNext(reports: Reports, { succeeded }: { succeeded: boolean }): void {
    const delayMs = reports.schedule.next(performance.now(), { succeeded, random: Math.random() });
    this.#timer = setTimeout(async () => {
      const reporting = reports.send();
      // Reports by WebSocket don't wait for each other: a slow answer must not delay the next one.
      const isAccepted = reports.transport.carrier === "WebSocket" || await reporting;
      if (reports === this.#current) this.#awaitNext(reports, { succeeded: isAccepted });
    }, delayMs);
  }
}
