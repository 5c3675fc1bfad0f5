import { isSocket, type Way } from "./link_state.ts";
import { Pace } from "./pace.ts";

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
