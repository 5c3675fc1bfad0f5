import { attempt } from "../attempt.ts";
import { isProgram } from "./local_host.ts";
import { parseProcessStat, type ProcessStat } from "../parse/process_stat.ts";

/** How a program is started. */
export interface ProgramOptions {
  readonly args: readonly string[];
  /** The whole environment: nothing of the agent's is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** An existing folder. */
  readonly cwd: string;
}

/** Processes read before other work gets its turn. */
const STATS_AT_A_TIME = 200;

/**
 * Starts, signals and lists programs for remote control.
 *
 * It exists only with remote control: otherwise the process is sealed and can do none of this.
 */
export class Programs {
  readonly #proc: string;

  /** `proc` shows this process and those below it. */
  constructor(options: { proc?: string } = {}) {
    this.#proc = options.proc ?? "/proc";
  }

  /**
   * Starts a program with a pipe for each of its streams, as the leader of a session and a process
   * group of its own, which both have its number.
   *
   * @throws {Error} When it can't be started (`Cannot start …`).
   */
  start(command: string, options: ProgramOptions): Deno.ChildProcess {
    return this.#spawn(command, options, "piped");
  }

  /**
   * Runs a program without input and output to its end; `false` when it fails or is missing.
   */
  async run(command: string, options: ProgramOptions): Promise<boolean> {
    try {
      return (await this.#spawn(command, options, "null").status).success;
    } catch {
      return false;
    }
  }

  /** Sends a signal to a process, if it still runs and this user may signal it. */
  kill(pid: number, signal: Deno.Signal): void {
    // 0 and -1 would mean this process's own group, and every process.
    if (pid > 1) send(pid, signal);
  }

  /** Sends a signal to all processes of a group at once. */
  killGroup(pid: number, signal: Deno.Signal): void {
    if (pid > 1) send(-pid, signal);
  }

  /** Finds a program on a `PATH`; `undefined` when there is none of this name. */
  find(name: string, path: string): string | undefined {
    return path.split(":").filter((folder) => folder.startsWith("/"))
      .map((folder) => `${folder}/${name}`).find((file) => this.isProgram(file));
  }

  /** Whether the path is an executable file. */
  isProgram: (path: string) => boolean = isProgram;

  /** Whether the path is a folder. */
  isFolder(path: string): boolean {
    return attempt(() => Deno.statSync(path).isDirectory) ?? false;
  }

  /** Reads `/proc/PID/stat`; `undefined` when the process is gone. */
  process(pid: number): ProcessStat | undefined {
    return attempt(() => parseProcessStat(Deno.readTextFileSync(`${this.#proc}/${pid}/stat`)));
  }

  /** Reads all visible processes, without blocking other work. */
  async processes(): Promise<ProcessStat[]> {
    const found: ProcessStat[] = [];
    let looked = 0;
    for (const { name } of Deno.readDirSync(this.#proc)) {
      if (!/^\d+$/.test(name)) continue;
      const process = this.process(Number(name));
      if (process !== undefined) found.push(process);
      if (++looked % STATS_AT_A_TIME === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    return found;
  }

  /** The text of `/proc/self/cgroup`; empty if there is none. */
  cgroup(): string {
    return attempt(() => Deno.readTextFileSync(`${this.#proc}/self/cgroup`)) ?? "";
  }

  #spawn(
    command: string,
    options: ProgramOptions,
    stream: "piped" | "null",
  ): Deno.ChildProcess {
    try {
      return new Deno.Command(command, {
        args: [...options.args],
        env: { ...options.env },
        clearEnv: true,
        cwd: options.cwd,
        detached: true,
        ...{ stdin: stream, stdout: stream, stderr: stream },
      }).spawn();
    } catch (cause) {
      throw new Error(`Cannot start ${command}`, { cause });
    }
  }
}

function send(target: number, signal: Deno.Signal): void {
  // It may have ended, or belong to another user.
  attempt(() => Deno.kill(target, signal));
}
