import type { Source } from "../host/host.ts";
import { parseUptime } from "../parse/uptime.ts";

/** Time since boot, from `/proc/uptime`: a system call would answer for a container's host. */
export class UptimeCollector {
  readonly #uptime: Source;

  constructor(uptime: Source) {
    this.#uptime = uptime;
  }

  /**
   * Seconds, with their fraction.
   *
   * @throws {SyntaxError} When the kernel's text can't be read.
   */
  collect(): number | undefined {
    const text = this.#uptime.read();
    return text === undefined ? undefined : parseUptime(text);
  }
}
