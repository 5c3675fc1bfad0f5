import { delay } from "@std/async/delay";
import type { Programs } from "../host/programs.ts";
import type { ProcessStat } from "../parse/process_stat.ts";

/** How often it is looked whether a family has gone. */
const LOOK_EVERY_MS = 20;

/** Whoever starts processes faster than they are found is looked for so many times. */
const ROUNDS = 10;

/** What it takes to find processes and to end them. */
export type ProcessControl = Pick<Programs, "kill" | "killGroup" | "process" | "processes">;

/**
 * A process, all that it has started, and all that belong to a session: what a command or a
 * terminal leaves no trace of when it ends.
 *
 * Only a process that has left the session and whose parent has ended is out of reach: that is how
 * a program becomes a service of its own, and `setsid` how a user says so.
 */
export class ProcessFamily {
  readonly #programs: ProcessControl;
  readonly #root: number;
  readonly #session: number;
  /** Those that were seen and may live, by number; once the parent is gone nothing leads to them. */
  readonly #seen = new Map<number, ProcessStat>();

  /** `session` is the number of the session's leader; it may have ended. */
  constructor(programs: ProcessControl, options: { root: number; session: number }) {
    this.#programs = programs;
    this.#root = options.root;
    this.#session = options.session;
  }

  /** Sends a signal to all of them; to all but the root with `sparesRoot`. */
  async signal(signal: Deno.Signal, options: { sparesRoot?: boolean } = {}): Promise<void> {
    const { sparesRoot = false } = options;
    await this.#look();
    // The root's group is reached at once, before one of them can start another.
    if (!sparesRoot) this.#programs.killGroup(this.#root, signal);
    for (const { pid, processGroupId: group } of this.#living()) {
      const isReached = sparesRoot ? pid === this.#root : group === this.#root;
      if (!isReached) this.#programs.kill(pid, signal);
    }
  }

  /** Waits until nobody of those that were seen lives, but not longer than `ms`. */
  async gone(ms: number): Promise<void> {
    for (const end = performance.now() + ms; performance.now() < end;) {
      if (this.#living().length === 0) return;
      await delay(LOOK_EVERY_MS);
    }
  }

  /** Ends all of them for good. */
  async kill(): Promise<void> {
    // At once for most of them; the rest has to be looked for.
    this.#programs.killGroup(this.#root, "SIGKILL");
    for (let round = 0; round < ROUNDS; round++) {
      await this.#look();
      const living = this.#living();
      if (living.length === 0) return;
      for (const { pid } of living) this.#programs.kill(pid, "SIGKILL");
      await delay(1);
    }
  }

  /** Those that were seen, as far as they are still the same processes. */
  #living(): ProcessStat[] {
    for (const { pid, startTicks } of this.#seen.values()) {
      const now = this.#programs.process(pid);
      if (now === undefined || now.hasExited || now.startTicks !== startTicks) {
        this.#seen.delete(pid);
      }
    }
    return [...this.#seen.values()];
  }

  async #look(): Promise<void> {
    const all = await this.#programs.processes();
    const children = Map.groupBy(all, ({ parentPid: parent }) => parent);
    const next = all.filter(({ pid, sessionId: session }) =>
      pid === this.#root || session === this.#session
    );
    next.push(...this.#living());
    const met = new Set<number>();
    for (let process = next.pop(); process !== undefined; process = next.pop()) {
      if (met.has(process.pid)) continue;
      met.add(process.pid);
      if (!process.hasExited) this.#seen.set(process.pid, process);
      next.push(...children.get(process.pid) ?? []);
    }
  }
}
