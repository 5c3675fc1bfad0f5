import type { FileSystemUse, Host } from "../host/host.ts";
import { getLogger } from "../log/log.ts";

/** A call that takes longer is told of; those to another machine take milliseconds. */
const TIMEOUT_MS = 3_000;

/**
 * Asks file systems that may never answer, without anybody waiting for them.
 *
 * One call is under way per path at most, since each holds a thread until it is answered. One that
 * does not answer is named in the log once, and once more when it answers as it should again.
 */
export class NonblockingStatfs {
  readonly #host: Pick<Host, "statfsAsync" | "monotonicMs">;
  readonly #log = getLogger("agent");
  /** Since when each call is under way. */
  readonly #inFlight = new Map<string, number>();
  readonly #last = new Map<string, FileSystemUse>();
  readonly #timedOut = new Set<string>();

  constructor(host: Pick<Host, "statfsAsync" | "monotonicMs">) {
    this.#host = host;
  }

  /** The last answer; asks for a new one unless that is under way. `undefined` when it was an error, or none came yet. */
  query(path: string): FileSystemUse | undefined {
    const askedAtMs = this.#inFlight.get(path);
    if (askedAtMs !== undefined) this.#logTimeout(path, askedAtMs);
    else {
      const sinceMs = this.#host.monotonicMs();
      this.#inFlight.set(path, sinceMs);
      this.#host.statfsAsync(path)
        .then((use) => this.#store(path, { use, sinceMs }), () => this.#last.delete(path))
        .finally(() => this.#inFlight.delete(path));
    }
    return this.#last.get(path);
  }

  /** Forgets the answers of all other paths. */
  prune(paths: ReadonlySet<string>): void {
    for (const path of this.#last.keys()) {
      if (!paths.has(path)) this.#last.delete(path);
    }
    for (const path of this.#timedOut) {
      if (!paths.has(path)) this.#timedOut.delete(path);
    }
  }

  #logTimeout(path: string, sinceMs: number): void {
    if (this.#timedOut.has(path) || this.#host.monotonicMs() - sinceMs < TIMEOUT_MS) return;
    this.#timedOut.add(path);
    const known = this.#last.has(path);
    this.#log.warning("{path} does not answer when asked for its space: {consequence}", {
      path,
      consequence: known ? "its last answer stays" : "it is not counted until it does",
    });
  }

  #store(path: string, { use, sinceMs }: { use: FileSystemUse; sinceMs: number }): void {
    this.#last.set(path, use);
    // One that is always slow would be told of with every answer.
    if (this.#host.monotonicMs() - sinceMs >= TIMEOUT_MS) return;
    if (this.#timedOut.delete(path)) this.#log.info("{path} answers again", { path });
  }
}
