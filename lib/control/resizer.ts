import type { TerminalSize } from "../parse/terminal_message.ts";

/** Gives a terminal its size: one at a time, and of a burst only the last. */
export class Resizer {
  readonly #apply: (size: TerminalSize) => Promise<unknown>;
  #next: TerminalSize | undefined;
  #isReady = false;
  #applying: Promise<void> | undefined;

  /** `apply` must not reject. */
  constructor(apply: (size: TerminalSize) => Promise<unknown>) {
    this.#apply = apply;
  }

  /** Applies a size as soon as it can; an earlier one that still waits is forgotten. */
  resize(size: TerminalSize): void {
    this.#next = size;
    if (this.#isReady) this.#applying ??= this.#applyAll();
  }

  /** To be called when there is a terminal. */
  start(): void {
    this.#isReady = true;
    if (this.#next !== undefined) this.resize(this.#next);
  }

  /** Applies nothing more; resolves when what is under way has ended. */
  async close(): Promise<void> {
    this.#isReady = false;
    this.#next = undefined;
    await this.#applying;
  }

  async #applyAll(): Promise<void> {
    for (let size = this.#next; size !== undefined; size = this.#next) {
      this.#next = undefined;
      await this.#apply(size);
    }
    this.#applying = undefined;
  }
}
