import type { FileSystemUse, Host } from "../host/host.ts";
import { getLogger } from "../log/log.ts";

/** Time for a file system to answer; calls to another machine usually take milliseconds. */
export const STATFS_TIMEOUT_MS = 3_000;

/**
 * Calls `statfs` on file systems that may hang, without blocking the caller.
 *
 * At most one call per path is in flight, because each occupies a thread until it returns. A timeout
 * is logged once, and once more when the file system responds in time again.
 */
export class NonblockingStatfs {
  readonly #host: Pick<Host, "statfsAsync">;
  readonly #log = getLogger("agent");
  /** Start of each call in flight, in milliseconds. */
  readonly #inFlight = new Map<string, number>();
  readonly #last = new Map<string, FileSystemUse>();
  readonly #timedOut = new Set<string>();

  constructor(host: Pick<Host, "statfsAsync">) {
    this.#host = host;
  }

  /** Returns the last result and starts a new call unless one is in flight; `undefined` after an error and before the first result. */
  query(path: string): FileSystemUse | undefined {
    const askedAtMs = this.#inFlight.get(path);
    if (askedAtMs !== undefined) this.#logTimeout(path, askedAtMs);
    else {
      const sinceMs = performance.now();
      this.#inFlight.set(path, sinceMs);
      this.#host.statfsAsync(path)
        .then((use) => this.#store(path, { use, sinceMs }), () => this.#last.delete(path))
        .finally(() => this.#inFlight.delete(path));
    }
    return this.#last.get(path);
  }

  /** Forgets the results of all paths that are not in `paths`. */
  prune(paths: ReadonlySet<string>): void {
    for (const path of this.#last.keys()) {
      if (!paths.has(path)) this.#last.delete(path);
    }
    for (const path of this.#timedOut) {
      if (!paths.has(path)) this.#timedOut.delete(path);
    }
  }

  #logTimeout(path: string, sinceMs: number): void {
    if (this.#timedOut.has(path) || performance.now() - sinceMs < STATFS_TIMEOUT_MS) return;
    this.#timedOut.add(path);
    const known = this.#last.has(path);
    this.#log.warning("statfs on {path} timed out: {consequence}", {
      path,
      consequence: known ? "its last known usage is reported" : "it is not counted",
    });
  }

  #store(path: string, { use, sinceMs }: { use: FileSystemUse; sinceMs: number }): void {
    this.#last.set(path, use);
    // A mount that is always slow would be logged with every result.
    if (performance.now() - sinceMs >= STATFS_TIMEOUT_MS) return;
    if (this.#timedOut.delete(path)) this.#log.info("statfs on {path} works again", { path });
  }
}
