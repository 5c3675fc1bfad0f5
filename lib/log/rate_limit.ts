import { getLogger } from "./log.ts";

/** However many come, one is told in so long. */
const EVERY_MS = 60_000;

/** Words that a panel can cause as many of as it likes, told in few lines. */
export class SparseLines {
  readonly #tell: (text: string) => void;
  #toldAtMs = -Infinity;
  #untold = 0;

  constructor(tell: (text: string) => void) {
    this.#tell = tell;
  }

  /** Tells it, or counts it until the next one is told. */
  note(text: string): void {
    const nowMs = performance.now();
    if (nowMs - this.#toldAtMs < EVERY_MS) {
      this.#untold++;
      return;
    }
    const more = this.#untold === 0 ? "" : ` (and ${this.#untold} more such since the last line)`;
    this.#tell(text + more);
    this.#toldAtMs = nowMs;
    this.#untold = 0;
  }
}

/** What may be told how often. */
export interface ToldFewOptions {
  /** So many in {@linkcode ToldFewOptions.everyMs}. */
  readonly most: number;
  readonly everyMs: number;
  /** Milliseconds on a clock that only runs forward. */
  monotonicMs(): number;
}

/** Counts what is told one by one, so that a flood of it does not become one of the log. */
export class ToldFew {
  readonly #options: ToldFewOptions;
  #sinceMs = -Infinity;
  #count = 0;

  constructor(options: ToldFewOptions) {
    this.#options = options;
  }

  /** Whether the next is to be told: `too many` for the first of which it is not, `no` for the rest. */
  next(): "yes" | "too many" | "no" {
    const { most, everyMs } = this.#options;
    const nowMs = this.#options.monotonicMs();
    if (nowMs - this.#sinceMs >= everyMs) {
      this.#sinceMs = nowMs;
      this.#count = 0;
    }
    this.#count++;
    if (this.#count <= most) return "yes";
    return this.#count === most + 1 ? "too many" : "no";
  }
}

/** Logs each warning once for good: a panel that asks ten thousand times must not fill the log. */
export class WarnOnce {
  readonly #told = new Set<string>();

  /** `line` is one of a few fixed ones, never made of what a panel sends. */
  warn(line: string): void {
    if (!this.#told.has(line)) getLogger("control").warning(line);
    this.#told.add(line);
  }
}
