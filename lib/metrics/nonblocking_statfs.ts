import type { FileSystemUse, Host } from "../host/host.ts";
import { getLogger } from "../log/log.ts";

/** Time for a file system to answer; calls to another machine usually take milliseconds. */
export const STATFS_TIMEOUT_MS = 3_000;

/** Age of a first call that is not reported as unanswered: a disk may have been plugged in just now. */
const FIRST_ANSWER_MS = 250;

/** Calls in flight; each occupies a thread until it returns. */
const MAX_IN_FLIGHT = 8;

/**
 * Calls `statfs` on file systems that may hang, without blocking the caller.
 *
 * At most one call per path is in flight, and eight in all; others wait. A timeout is logged once, and
 * once more when the file system responds in time again.
 */
export class NonblockingStatfs {
  readonly #host: Pick<Host, "statfsAsync">;
  readonly #log = getLogger("agent");
  /** Start of each call in flight, in milliseconds. */
  readonly #inFlight = new Map<string, number>();
  readonly #calls = new Set<Promise<void>>();
  /** Paths to query when a call has ended. */
  readonly #waiting = new Set<string>();
  readonly #last = new Map<string, FileSystemUse>();
  readonly #timedOut = new Set<string>();
  readonly #errors = new Map<string, Error>();

  constructor(host: Pick<Host, "statfsAsync">) {
    this.#host = host;
  }

  /** Returns the last result and starts a new call unless one is in flight; `undefined` after an error and before the first result. */
  query(path: string): FileSystemUse | undefined {
    const askedAtMs = this.#inFlight.get(path);
    if (askedAtMs !== undefined) this.#logTimeout(path, askedAtMs);
    else if (this.#inFlight.size < MAX_IN_FLIGHT) this.#start(path);
    else this.#waiting.add(path);
    return this.#last.get(path);
  }

  /** The last result, without another call. */
  last(path: string): FileSystemUse | undefined {
    return this.#last.get(path);
  }

  /** Why the last result is missing or old: the last call failed, or it has not returned in time. */
  problem(path: string): Error | undefined {
    const askedAtMs = this.#inFlight.get(path) ?? Infinity;
    const isLate = !this.#last.has(path) && performance.now() - askedAtMs >= FIRST_ANSWER_MS;
    return isLate || this.#timedOut.has(path)
      ? new Error(`Cannot statfs ${JSON.stringify(path)}: no answer`)
      : this.#errors.get(path);
  }

  /** Settles when all calls have ended, which a hanging one never does. */
  async settled(): Promise<void> {
    while (this.#calls.size > 0) await Promise.all(this.#calls);
  }

  /** Forgets the results of all paths that are not in `paths`. */
  prune(paths: ReadonlySet<string>): void {
    for (const results of [this.#last, this.#timedOut, this.#errors, this.#waiting]) {
      for (const path of results.keys()) {
        if (!paths.has(path)) results.delete(path);
      }
    }
  }

  #start(path: string): void {
    const sinceMs = performance.now();
    this.#inFlight.set(path, sinceMs);
    const call = this.#host.statfsAsync(path)
      .then((use) => this.#store(path, { use, sinceMs }), (error) => this.#storeError(path, error))
      .finally(() => {
        this.#inFlight.delete(path);
        this.#calls.delete(call);
        const [next] = this.#waiting;
        if (next === undefined) return;
        this.#waiting.delete(next);
        this.#start(next);
      });
    this.#calls.add(call);
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
    this.#errors.delete(path);
    // A mount that is always slow would be logged with every result.
    if (performance.now() - sinceMs >= STATFS_TIMEOUT_MS) return;
    if (this.#timedOut.delete(path)) this.#log.info("statfs on {path} works again", { path });
  }

  #storeError(path: string, cause: unknown): void {
    this.#last.delete(path);
    this.#timedOut.delete(path);
    this.#errors.set(
      path,
      cause instanceof Error ? cause : new Error(`Cannot statfs ${path}`, { cause }),
    );
  }
}
