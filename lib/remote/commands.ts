import type { Programs } from "../host/programs.ts";
import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import type { CommandResult } from "../types.ts";
import { NOT_RUN, runCommand } from "./command.ts";
import { surroundings } from "./exec_environment.ts";
import { ResultUploads } from "./result_queue.ts";
import { SeenIds, Turns } from "./task_queue.ts";

/** What the commands work with. */
export interface CommandsOptions {
  /** `undefined` when remote control is off: every command is answered with a refusal. */
  readonly programs: Programs | undefined;
  readonly execTimeoutMs: number;
  /** One try to bring a result to the panel; rejects when it was not accepted. */
  uploadResult(result: CommandResult, signal: AbortSignal): Promise<void>;
  readonly timers: Pick<typeof globalThis, "setTimeout" | "clearTimeout">;
  /** Milliseconds on a clock that only runs forward. */
  monotonicMs(): number;
  /** The date of a result. */
  wallClock(): Date;
  /** 0 to below 1. */
  random(): number;
}

/** A command that the panel sends. */
export interface CommandRequest {
  readonly taskId: string;
  readonly command: string;
}

const AT_A_TIME = 4;

const WAITING_COMMANDS = 100;

/** All commands that wait, together, in UTF-16 code units. */
const WAITING_LENGTH = 4 * 1024 * 1024;

/** Refusals that wait for the panel: whoever sends more gets no answer. */
const WAITING_REFUSALS = 64;

const REMEMBERED_IDS = 1024;

/** Commands of a minute that are logged one by one at the level info. */
const LOGGED_A_MINUTE = 5;

const DISABLED = "Remote control is disabled.";

const TOO_MANY = "The command was not run: too many others wait already. Try again later.";

/** The panel's commands: a few at a time, some that wait, and a refusal for the others. */
export class Commands {
  readonly #options: CommandsOptions;
  readonly #log = getLogger("control");
  readonly #refusalLog = new LogRateLimit({ lines: 1, periodMs: Infinity });
  readonly #dropLog = new LogRateLimit({ lines: 1, periodMs: Infinity });
  readonly #ended = new AbortController();
  readonly #seen = new SeenIds(REMEMBERED_IDS);
  readonly #turns = new Turns({ parallel: AT_A_TIME, capacity: WAITING_COMMANDS });
  readonly #uploads: ResultUploads;
  readonly #commandLog: LogRateLimit;
  #waitingLength = 0;

  constructor(options: CommandsOptions) {
    this.#options = options;
    const monotonicMs = () => options.monotonicMs();
    this.#commandLog = new LogRateLimit({ lines: LOGGED_A_MINUTE, periodMs: 60_000, monotonicMs });
    this.#uploads = new ResultUploads({
      ...options,
      upload: (result, signal) => options.uploadResult(result, signal),
    });
  }

  /** Runs a command when its turn comes, and uploads its result; one that came before is ignored. */
  add({ taskId, command }: CommandRequest): void {
    if (this.#ended.signal.aborted || !this.#seen.add(taskId)) return;
    const { programs } = this.#options;
    if (programs === undefined) {
      if (this.#refusalLog.allows()) {
        this.#log.warning("A command of the panel's was refused: remote control is off");
      }
      return this.#refuse(taskId, DISABLED);
    }
    const isRoom = this.#waitingLength + command.length <= WAITING_LENGTH;
    const isTaken = isRoom && this.#turns.add(() => {
      this.#waitingLength -= command.length;
      return this.#run(programs, { taskId, command });
    });
    if (!isTaken) return this.#refuse(taskId, TOO_MANY);
    this.#waitingLength += command.length;
  }

  /** Kills what runs and forgets what waits; resolves when nothing is left. */
  async close(): Promise<void> {
    this.#ended.abort(new DOMException("The agent ends", "AbortError"));
    await Promise.all([this.#turns.close(), this.#uploads.close()]);
  }

  async #run(programs: Programs, { taskId, command }: CommandRequest): Promise<void> {
    const startMs = this.#options.monotonicMs();
    const level = this.#levelOfNext();
    this.#log[level]("Command {taskId} starts", { taskId });
    // It may hold a password.
    this.#log.debug("Command {taskId} is {command}", { taskId, command });
    try {
      const { account, env } = surroundings(programs);
      const { output, exitCode } = await runCommand(command, {
        programs,
        env: { HOME: account.home, ...env },
        cwd: account.home,
        timeoutMs: this.#options.execTimeoutMs,
        signal: this.#ended.signal,
      });
      const duration = `${((this.#options.monotonicMs() - startMs) / 1000).toFixed(1)} s`;
      this.#log[level]("Command {taskId} ended after {duration} with exit code {exitCode}", {
        taskId,
        duration,
        exitCode,
      });
      this.#upload(taskId, { output, exitCode });
    } catch (error) {
      this.#log.info("Command {taskId} was broken off: {error}", {
        taskId,
        error: describeError(error),
      });
    }
  }

  /** The level at which the next command is logged. */
  #levelOfNext(): "info" | "debug" {
    if (this.#commandLog.allows()) {
      this.#commandLog.takeSuppressed();
      return "info";
    }
    if (this.#commandLog.suppressed === 1) {
      this.#log.warning(
        "The panel sends many commands: for a minute they are logged at level debug",
      );
    }
    return "debug";
  }

  #refuse(taskId: string, output: string): void {
    if (this.#uploads.waiting < WAITING_REFUSALS) {
      this.#upload(taskId, { output, exitCode: NOT_RUN });
    } else if (this.#dropLog.allows()) {
      this.#log.warning("Too many commands come from the panel; some get no answer");
    }
  }

  #upload(taskId: string, { output, exitCode }: { output: string; exitCode: number }): void {
    const finishedAt = this.#options.wallClock();
    this.#uploads.add({ taskId, output, exitCode, finishedAt });
  }
}
