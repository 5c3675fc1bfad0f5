import { isSocket, type Way } from "./link_machine.ts";

/** For so long after the first failure a report is tried at its usual interval. */
const EAGER_MS = 5 * 60_000;
/** The slowest pace, so that a panel that returns has us back soon. */
const SLOWEST_MS = 30_000;

/** What a pace is made of; time and chance are given, so that it can be tested. */
export interface PaceOptions {
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
export class Pace {
  readonly #options: PaceOptions;
  #dueMs: number;
  #failingSinceMs: number | undefined;
  #stepMs: number;

  constructor(nowMs: number, options: PaceOptions) {
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
    if (nowMs - this.#failingSinceMs < EAGER_MS) return this.#nextAtRate(nowMs);
    const { intervalMs, random } = this.#options;
    this.#stepMs = Math.max(intervalMs, Math.min(this.#stepMs * 2, SLOWEST_MS));
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
export interface BeatOptions {
  /** Time between two reports; each kind of way has its own when absent. */
  readonly intervalMs: number | undefined;
  /** The interval was longer than a WebSocket allows. */
  onClamp(): void;
  /** The next report is due. */
  onDue(way: Way): void;
}

/** When the next report is due, by the way that is in use. */
export class Beat {
  readonly #options: BeatOptions;
  #way: Way | undefined;
  #pace: Pace | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: BeatOptions) {
    this.#options = options;
  }

  /** Starts anew for another way, or rests when there is none; the first report leaves right now. */
  start(way: Way | undefined): void {
    clearTimeout(this.#timer);
    this.#way = way;
    this.#pace = way && new Pace(performance.now(), {
      intervalMs: this.#intervalToKeep(way),
      random: Math.random,
    });
  }

  /** A report by this way went well or not; ways that are not in use any more don't count. */
  next(way: Way, succeeded: boolean): void {
    if (way !== this.#way || this.#pace === undefined) return;
    clearTimeout(this.#timer);
    const ms = this.#pace.next(performance.now(), succeeded);
    this.#timer = setTimeout(() => this.#options.onDue(way), ms);
  }

  /** Time between two reports by a way. */
  intervalMs(way: Way): number {
    const { intervalMs } = this.#options;
    return isSocket(way)
      ? Math.min(intervalMs ?? SOCKET_INTERVAL_MS, LONGEST_SOCKET_INTERVAL_MS)
      : intervalMs ?? POST_INTERVAL_MS;
  }

  #intervalToKeep(way: Way): number {
    const { intervalMs: wantedMs = 0, onClamp } = this.#options;
    if (isSocket(way) && wantedMs > LONGEST_SOCKET_INTERVAL_MS) onClamp();
    return this.intervalMs(way);
  }
}
