/** A Deno process that is measured from outside. */
export class MeasuredProcess {
  readonly #child: Deno.ChildProcess;

  constructor(args: readonly string[], options: { stdout?: "piped" | "null" } = {}) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-prompt", "--no-check", ...args],
      stdin: "null",
      stdout: options.stdout ?? "null",
      stderr: "null",
    }).spawn();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The first line that the process prints. */
  async firstLine(): Promise<string> {
    const reader = this.#child.stdout.getReader();
    const { value } = await reader.read();
    return new TextDecoder().decode(value).trim();
  }

  /** Milliseconds of CPU that the process and those that it started have used. */
  cpuMs(): number {
    return [this.pid, ...descendants(this.pid)].reduce((sum, pid) => sum + cpuMsOf(pid), 0);
  }

  /** Resident and anonymous memory of the process alone, in kB. */
  memory(): { residentKb: number; anonymousKb: number } {
    const status = Deno.readTextFileSync(`/proc/${this.pid}/status`);
    const field = (name: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? NaN);
    return { residentKb: field("VmRSS"), anonymousKb: field("RssAnon") };
  }

  async end(): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
  }
}

function cpuMsOf(pid: number): number {
  try {
    let ns = 0;
    for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
      const [ran = "0"] = Deno.readTextFileSync(`/proc/${pid}/task/${name}/schedstat`).split(" ");
      ns += Number(ran);
    }
    return ns / 1e6;
  } catch {
    return 0;
  }
}

function descendants(pid: number): number[] {
  const children: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = Deno.readTextFileSync(`/proc/${name}/stat`);
      const [, parent = ""] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (Number(parent) === pid) children.push(Number(name));
    } catch {
      // It ended meanwhile.
    }
  }
  return children.flatMap((child) => [child, ...descendants(child)]);
}

/** The middle of an odd number of values. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
