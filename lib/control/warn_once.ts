import { getLogger } from "../log.ts";

/** Logs each warning once for good: a panel that asks ten thousand times must not fill the log. */
export class WarnOnce {
  readonly #told = new Set<string>();

  /** `line` is one of a few fixed ones, never made of what a panel sends. */
  warn(line: string): void {
    if (!this.#told.has(line)) getLogger("control").warning(line);
    this.#told.add(line);
  }
}
