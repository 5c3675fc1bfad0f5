import { parseProcessStat, type ProcessStat } from "../parse/process_stat.ts";

/** How a program is started. */
export interface ProgramOptions {
  readonly args: readonly string[];
  /** All of its environment; nothing of the agent's own comes along. */
  readonly env: Readonly<Record<string, string>>;
  /** A folder that exists. */
  readonly cwd: string;
}

/** So many processes are looked at before others get their turn. */
const STATS_AT_A_TIME = 200;

/**
 * The one door through which remote control starts programs and ends them.
 *
 * It is made only where remote control is on; everywhere else the process has given up the right to
 * do any of this.
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
   * Runs a program that says and reads nothing, to its end; `false` when it fails or is not there.
   */
  async run(command: string, options: ProgramOptions): Promise<boolean> {
    try {
      return (await this.#spawn(command, options, "null").status).success;
    } catch {
      return false;
    }
  }

  /** Sends a signal to a process; one that has ended or belongs to somebody else gets none. */
  kill(pid: number, signal: Deno.Signal): void {
    // 0 and -1 would mean this process's own group, and everybody.
    if (pid > 1) send(pid, signal);
  }

  /** Sends a signal to all processes of a group at once. */
  killGroup(pid: number, signal: Deno.Signal): void {
    if (pid > 1) send(-pid, signal);
  }

  /** The path of a program on a `PATH`; `undefined` when there is none of this name. */
  find(name: string, path: string): string | undefined {
    return path.split(":").filter((folder) => folder.startsWith("/"))
      .map((folder) => `${folder}/${name}`).find((file) => this.isProgram(file));
  }

  /** Whether there is a file to be run at a path. */
  isProgram(path: string): boolean {
    try {
      const { isFile, mode } = Deno.statSync(path);
      return isFile && ((mode ?? 0) & 0o111) !== 0;
    } catch {
      return false;
    }
  }

  /** Whether there is a folder at a path. */
  isFolder(path: string): boolean {
    try {
      return Deno.statSync(path).isDirectory;
    } catch {
      return false;
    }
  }

  /** What the kernel tells of a process; `undefined` when it is gone. */
  process(pid: number): ProcessStat | undefined {
    try {
      return parseProcessStat(Deno.readTextFileSync(`${this.#proc}/${pid}/stat`));
    } catch {
      return undefined;
    }
  }

  /** All processes that can be seen; other work goes on meanwhile. */
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

  #spawn(command: string, options: ProgramOptions, streams: "piped" | "null"): Deno.ChildProcess {
    try {
      return new Deno.Command(command, {
        args: [...options.args],
        env: { ...options.env },
        clearEnv: true,
        cwd: options.cwd,
        detached: true,
        stdin: streams,
        stdout: streams,
        stderr: streams,
      }).spawn();
    } catch (cause) {
      throw new Error(`Cannot start ${command}`, { cause });
    }
  }
}

function send(target: number, signal: Deno.Signal): void {
  try {
    Deno.kill(target, signal);
  } catch {
    // It was quicker, or it belongs to another user: in both cases there is nothing more to do.
  }
}
