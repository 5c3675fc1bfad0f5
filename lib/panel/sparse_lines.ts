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
