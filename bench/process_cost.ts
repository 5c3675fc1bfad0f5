import { delay } from "@std/async/delay";
import type { TestPanel } from "../tests/test_panel/test_panel.ts";
import { CpuClock } from "./cpu_clock.ts";

/** A program is idle again this long after the panel has accepted its report. */
const ANSWER_MS = 300;

/** A process that is measured from outside. */
export class MeasuredProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #ended = new AbortController();
  readonly #clock = new CpuClock();
  #tree: readonly number[] | undefined;

  /** Starts `deno run` with these arguments, or another program. */
  constructor(
    args: readonly string[],
    options: { stdout?: "piped" | "null"; program?: string } = {},
  ) {
    const { program } = options;
    this.#child = new Deno.Command(program ?? Deno.execPath(), {
      args: program === undefined ? ["run", ...args] : [...args],
      stdin: "null",
      stdout: options.stdout ?? "null",
      stderr: "null",
    }).spawn();
    this.#child.status.then(({ code }) => {
      this.#ended.abort(new Error(`Cannot measure ${args.join(" ")}: it exited with code ${code}`));
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Aborts when the process ends. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** The first line that the process prints. */
  async firstLine(): Promise<string> {
    const reader = this.#child.stdout.getReader();
    const { value } = await reader.read();
    return new TextDecoder().decode(value).trim();
  }

  /**
   * Microseconds of CPU that the process and those that it started have used, all threads included.
   *
   * The processes are those of the first call: an agent's helper shell lives as long as the agent.
   */
  cpuUs(): number {
    this.#tree ??= [this.pid, ...descendants(this.pid)];
    return this.#tree.reduce((sum, pid) => sum + this.#clock.readUs(clockOf(pid)), 0);
  }

  /** Memory of the process alone. */
  memory(): Memory {
    const status = Deno.readTextFileSync(`/proc/${this.pid}/status`);
    const field = (name: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? NaN);
    return { residentKb: field("VmRSS"), anonymousKb: field("RssAnon") };
  }

  /** Ends the process, and waits for its end. */
  async end(): Promise<void> {
    if (!this.ended.aborted) this.#child.kill("SIGTERM");
    await this.#child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

/** Resident memory of a process, and its anonymous part. */
export interface Memory {
  readonly residentKb: number;
  readonly anonymousKb: number;
}

/** How long a program is measured. */
export interface Span {
  readonly warmUpReports: number;
  readonly windows: number;
  readonly reportsPerWindow: number;
}

/**
 * CPU of a program per report, in microseconds, for each window of a span.
 *
 * @throws {Error} When the process ends before.
 */
export async function cpuPerReport(
  process: MeasuredProcess,
  { state }: Pick<TestPanel, "state">,
  { warmUpReports, windows, reportsPerWindow }: Span,
): Promise<number[]> {
  const readAfter = async (reports: number) => {
    await state.until(({ counts }) => counts.reports >= reports, { signal: process.ended });
    await delay(ANSWER_MS);
    return { us: process.cpuUs(), reports: state.counts.reports };
  };
  let last = await readAfter(warmUpReports);
  const costs: number[] = [];
  while (costs.length < windows) {
    const now = await readAfter(last.reports + reportsPerWindow);
    costs.push((now.us - last.us) / (now.reports - last.reports));
    last = now;
  }
  return costs;
}

/**
 * The clock of a process: the kernel's sum over all threads, those that have ended included, which
 * `schedstat` gives for each thread that lives. It is CPUCLOCK_SCHED, as `clock_getcpuclockid` gives it.
 */
function clockOf(pid: number): number {
  return (~pid << 3) | 2;
}

function descendants(pid: number): number[] {
  const childrenOf = new Map<number, number[]>();
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = Deno.readTextFileSync(`/proc/${name}/stat`);
      const [, parent = ""] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      childrenOf.set(Number(parent), [...childrenOf.get(Number(parent)) ?? [], Number(name)]);
    } catch {
      // It ended meanwhile.
    }
  }
  const below = (parent: number): number[] =>
    (childrenOf.get(parent) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}
