import type { Source } from "../host/host.ts";
import { parseLoadavg } from "../parse/loadavg.ts";
import type { LoadAverage } from "../types.ts";

/** Load averages, from `/proc/loadavg`: a system call would answer for a container's host. */
export class LoadCollector {
  readonly #loadavg: Source;

  constructor(loadavg: Source) {
    this.#loadavg = loadavg;
  }

  /** @throws {SyntaxError} When the kernel's text can't be read. */
  collect(): LoadAverage | undefined {
    const text = this.#loadavg.read();
    return text === undefined ? undefined : parseLoadavg(text);
  }
}
