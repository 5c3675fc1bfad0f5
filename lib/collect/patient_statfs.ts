import type { FileSystemUse, Host } from "../host/host.ts";

/**
 * Asks file systems that may never answer, without anybody waiting for them.
 *
 * One call is under way per path at most, since each holds a thread until it is answered.
 */
export class PatientStatfs {
  readonly #host: Pick<Host, "statfsAsync">;
  readonly #underWay = new Set<string>();
  readonly #last = new Map<string, FileSystemUse>();

  constructor(host: Pick<Host, "statfsAsync">) {
    this.#host = host;
  }

  /** The last answer; asks for a new one unless that is under way. `undefined` when it was an error, or none came yet. */
  ask(path: string): FileSystemUse | undefined {
    if (!this.#underWay.has(path)) {
      this.#underWay.add(path);
      this.#host.statfsAsync(path)
        .then((use) => this.#last.set(path, use), () => this.#last.delete(path))
        .finally(() => this.#underWay.delete(path));
    }
    return this.#last.get(path);
  }

  /** Forgets the answers of all other paths. */
  keepOnly(paths: ReadonlySet<string>): void {
    for (const path of this.#last.keys()) {
      if (!paths.has(path)) this.#last.delete(path);
    }
  }
}
