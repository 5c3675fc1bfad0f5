/** A time in which something has to arrive, again and again. */
export class Silence {
  readonly #ms: number;
  readonly #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number) {
    this.#ms = ms;
    this.broken();
  }

  /** Aborts when nothing has come for so long. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Something has come. */
  broken(): void {
    clearTimeout(this.#timer);
    const reason = new Error(`nothing came for ${this.#ms / 1000} s`);
    this.#timer = setTimeout(() => this.#controller.abort(reason), this.#ms);
  }

  /** Nothing has to come any more. */
  end(): void {
    clearTimeout(this.#timer);
  }
}
