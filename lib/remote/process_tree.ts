import { delay } from "@std/async/delay";
import type { Programs } from "../host/programs.ts";
import type { ProcessStat } from "../parse/process_stat.ts";

/** How often it is checked whether all processes have exited. */
const POLL_MS = 20;

/** Passes over all processes, for a program that starts new ones faster than they are found. */
const MAX_PASSES = 10;

/**
 * A process, its descendants, and all processes of a session: everything that a command or a
 * terminal has started.
 *
 * Only a process that has left the session and whose parent has exited is out of reach. That is how
 * a program becomes a daemon, and what `setsid` is for.
 */
export class ProcessTree {
  readonly #programs: Programs;
  readonly #rootPid: number;
  readonly #sessionId: number;
  /** Processes that were found, by pid; they are out of reach once their parent has exited. */
  readonly #known = new Map<number, ProcessStat>();

  /** @param options `sessionId`: the pid of the session's leader, which may have exited. */
  constructor(programs: Programs, options: { rootPid: number; sessionId: number }) {
    this.#programs = programs;
    this.#rootPid = options.rootPid;
    this.#sessionId = options.sessionId;
  }

  /** Sends a signal to all processes; to all but the root with `sparesRoot`. */
  async signal(signal: Deno.Signal, options: { sparesRoot?: boolean } = {}): Promise<void> {
    const { sparesRoot = false } = options;
    await this.#find();
    // The whole group at once, before one of them can start another.
    if (!sparesRoot) this.#programs.killGroup(this.#rootPid, signal);
    for (const { pid, processGroupId } of this.#alive()) {
      const isDone = sparesRoot ? pid === this.#rootPid : processGroupId === this.#rootPid;
      if (!isDone) this.#programs.kill(pid, signal);
    }
  }

  /** Waits until all processes that were found have exited, for `ms` at most. */
  async exited(ms: number): Promise<void> {
    for (const end = performance.now() + ms; performance.now() < end;) {
      if (this.#alive().length === 0) return;
      await delay(POLL_MS);
    }
  }

  /** Kills all processes. */
  async kill(): Promise<void> {
    // Most of them are in the root's group; the others have to be found.
    this.#programs.killGroup(this.#rootPid, "SIGKILL");
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      await this.#find();
      const alive = this.#alive();
      if (alive.length === 0) return;
      for (const { pid } of alive) this.#programs.kill(pid, "SIGKILL");
      await delay(1);
    }
  }

  /** The known processes that are still running; a pid may belong to another process by now. */
  #alive(): ProcessStat[] {
    for (const { pid, startTicks } of this.#known.values()) {
      const now = this.#programs.process(pid);
      if (now === undefined || now.hasExited || now.startTicks !== startTicks) {
        this.#known.delete(pid);
      }
    }
    return [...this.#known.values()];
  }

  async #find(): Promise<void> {
    const all = await this.#programs.processes();
    const children = Map.groupBy(all, ({ parentPid }) => parentPid);
    const next = all.filter(({ pid, sessionId }) =>
      pid === this.#rootPid || sessionId === this.#sessionId
    );
    next.push(...this.#alive());
    const visited = new Set<number>();
    for (let process = next.pop(); process !== undefined; process = next.pop()) {
      if (visited.has(process.pid)) continue;
      visited.add(process.pid);
      this.#known.set(process.pid, process);
      next.push(...children.get(process.pid) ?? []);
    }
  }
}
