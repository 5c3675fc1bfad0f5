/** What a panel sends that can't be dealt with is named once in so long. */
const EVERY_MS = 60_000;

/** Tells of messages that make no sense, in few lines however many come. */
export class OddMessages {
  readonly #tell: (text: string) => void;
  #toldAtMs = -Infinity;
  #untold = 0;

  constructor(tell: (text: string) => void) {
    this.#tell = tell;
  }

  /** Takes note of one, and why it was odd. */
  note(reason: string): void {
    const nowMs = performance.now();
    if (nowMs - this.#toldAtMs < EVERY_MS) {
      this.#untold++;
      return;
    }
    const more = this.#untold === 0 ? "" : ` (and ${this.#untold} more since the last such line)`;
    this.#tell(`The panel says something odd: ${reason}${more}`);
    this.#toldAtMs = nowMs;
    this.#untold = 0;
  }
}
