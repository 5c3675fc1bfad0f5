import type { FileSystemUse, Host } from "../host/host.ts";

/** Time for a file system to answer; calls to another machine usually take milliseconds. */
export const STATFS_TIMEOUT_MS = 3_000;

/** Age of a first call that is not reported as unanswered: a disk may have been plugged in just now. */
const FIRST_ANSWER_MS = 250;

/** Calls in flight; each occupies a thread until it returns. */
const MAX_IN_FLIGHT = 8;

/**
 * Calls `statfs` on file systems that may hang, without blocking the caller.
 *
 * At most one call per path is in flight, and eight in all; others wait.
 */
export class NonblockingStatfs {
  readonly #host: Pick<Host, "statfsAsync">;
  /** Start of each call in flight, in milliseconds. */
  readonly #inFlight = new Map<string, number>();
  readonly #calls = new Set<Promise<void>>();
  /** Paths to query when a call has ended. */
  readonly #waiting = new Set<string>();
  /** The results of the last calls. */
  readonly #last = new Map<string, FileSystemUse | Error>();
  /** Paths whose last call was answered too late. */
  readonly #late = new Set<string>();

  constructor(host: Pick<Host, "statfsAsync">) {
    this.#host = host;
  }

  /** Returns the last result and starts a new call unless one is in flight; `undefined` after an error and before the first result. */
  query(path: string): FileSystemUse | undefined {
    if (!this.#inFlight.has(path)) {
      if (this.#inFlight.size < MAX_IN_FLIGHT) this.#start(path);
      else this.#waiting.add(path);
    }
    const last = this.#last.get(path);
    return last instanceof Error ? undefined : last;
  }

  /** Why the last result is missing or old: the last call failed, or it has not returned in time. */
  problem(path: string): Error | undefined {
    const last = this.#last.get(path);
    const limitMs = last === undefined ? FIRST_ANSWER_MS : STATFS_TIMEOUT_MS;
    const waitedMs = performance.now() - (this.#inFlight.get(path) ?? Infinity);
    if (waitedMs >= limitMs || this.#late.has(path)) {
      return new Error(`Cannot statfs ${JSON.stringify(path)}: no answer`);
    }
    return last instanceof Error ? last : undefined;
  }

  /** Settles when all calls have ended, which a hanging one never does. */
  async settled(): Promise<void> {
    while (this.#calls.size > 0) await Promise.all(this.#calls);
  }

  /** Forgets the results of all paths that are not in `paths`. */
  prune(paths: ReadonlySet<string>): void {
    for (const results of [this.#last, this.#late, this.#waiting]) {
      for (const path of results.keys()) {
        if (!paths.has(path)) results.delete(path);
      }
    }
  }

  #start(path: string): void {
    const sinceMs = performance.now();
    this.#inFlight.set(path, sinceMs);
    const call = this.#host.statfsAsync(path)
      .catch((cause) =>
        cause instanceof Error ? cause : new Error(`Cannot statfs ${path}`, { cause })
      )
      .then((result) => {
        this.#last.set(path, result);
        if (performance.now() - sinceMs >= STATFS_TIMEOUT_MS) this.#late.add(path);
        else this.#late.delete(path);
        this.#inFlight.delete(path);
        this.#calls.delete(call);
        const [next] = this.#waiting;
        if (next === undefined) return;
        this.#waiting.delete(next);
        this.#start(next);
      });
    this.#calls.add(call);
  }
}
