import type { Source } from "../host/host.ts";

/** Counts the processes of a Mac: the lines of `ps -A`, which the shell has counted. */
export class DarwinProcessCollector {
  /** The kernel tells no count of its own. */
  readonly byLinks = false;
  readonly #count: Source;

  constructor(count: Source) {
    this.#count = count;
  }

  /** @throws {Error} When the count can't be had or is none. */
  collect(): number | undefined {
    const text = this.#count.read();
    if (text === undefined) return undefined;
    // `ps` itself is always there.
    if (!/^[1-9]\d{0,8}$/.test(text)) {
      throw new SyntaxError(`Cannot parse process count: ${JSON.stringify(text.slice(0, 40))}`);
    }
    return Number(text);
  }
}
