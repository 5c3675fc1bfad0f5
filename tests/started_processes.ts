/** A process, as `/proc/PID/stat` describes it. */
export interface SeenChild {
  readonly pid: number;
  readonly parent: number;
  /** `Z` for one that has ended and was not waited for. */
  readonly state: string;
  readonly name: string;
  readonly rssPages: number;
}

/**
 * Processes that this test file has started, and those below them.
 *
 * Test files run in parallel share one process, so its children in `/proc` are those of all files.
 */
export class StartedProcesses {
  readonly #pids = new Set<number>();

  constructor() {
    const pids = this.#pids;
    const value = class extends Deno.Command {
      override spawn(): Deno.ChildProcess {
        const child = super.spawn();
        pids.add(child.pid);
        // From now on another file's child may get the number.
        child.status.then(() => pids.delete(child.pid), () => {});
        return child;
      }
    };
    // The runtime's namespace belongs to the file's own worker.
    Object.defineProperty(Deno, "Command", { value, configurable: true });
  }

  /** Children that live, or have ended and were not waited for. */
  children(): SeenChild[] {
    return seenProcesses().filter(({ pid, parent }) => parent === Deno.pid && this.#pids.has(pid));
  }

  /** The children and all that they have started, as long as their parents live. */
  descendants(): SeenChild[] {
    const all = seenProcesses();
    const found = new Set(this.children().map(({ pid }) => pid));
    for (let size = -1; size !== found.size;) {
      size = found.size;
      for (const { pid, parent } of all) if (found.has(parent)) found.add(pid);
    }
    return all.filter(({ pid }) => found.has(pid));
  }
}

function seenProcesses(): SeenChild[] {
  return [...Deno.readDirSync("/proc")].flatMap(({ name }) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = Deno.readTextFileSync(`/proc/${name}/stat`);
      const close = stat.lastIndexOf(")");
      const fields = stat.slice(close + 2).split(" ");
      return [{
        pid: Number(name),
        parent: Number(fields[1]),
        state: fields[0] ?? "",
        name: stat.slice(stat.indexOf("(") + 1, close),
        rssPages: Number(fields[21]),
      }];
    } catch {
      return []; // It ended meanwhile.
    }
  });
}
