import type { Programs } from "../host/programs.ts";
import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import type { CommandResult } from "../types.ts";
import { NOT_STARTED, runCommand } from "./command.ts";
import { execEnvironment } from "./exec_environment.ts";
import { ResultQueue } from "./result_queue.ts";
import { createTaskQueue, RecentIds } from "./task_queue.ts";

/** Settings of the panel's commands. */
export interface CommandsOptions {
  /** `undefined` when remote control is off: every command is refused. */
  readonly programs: Programs | undefined;
  readonly execTimeoutMs: number;
  /** One attempt to send a result; rejects when the panel has not accepted it. */
  sendResult(result: CommandResult, signal: AbortSignal): Promise<void>;
  readonly timers: Pick<typeof globalThis, "setTimeout" | "clearTimeout">;
  /** Milliseconds on a clock that only runs forward. */
  monotonicMs(): number;
  /** The date of a result. */
  wallClock(): Date;
  /** 0 to below 1. */
  random(): number;
}

/** A command from the panel. */
export interface CommandRequest {
  readonly taskId: string;
  readonly command: string;
}

const PARALLEL_COMMANDS = 4;

const MAX_WAITING = 100;

/** All commands that wait, together, in UTF-16 code units. */
const MAX_WAITING_LENGTH = 4 * 1024 * 1024;

/** Refusals that wait for the panel; commands beyond that get no answer. */
const MAX_REFUSALS = 64;

const REMEMBERED_IDS = 1024;

/** Commands of a minute that are logged one by one at the level info. */
const LOGGED_A_MINUTE = 2;

const RESULT_EXPIRES_MS = 60 * 60_000;

const DISABLED = "Remote control is disabled.";

const TOO_MANY = "The command was not run: too many others wait already. Try again later.";

/** The panel's commands: a few run at a time, some wait, all others are refused. */
export class Commands {
  readonly #options: CommandsOptions;
  readonly #log = getLogger("remote");
  readonly #refusalLog = new LogRateLimit({ lines: 1, periodMs: Infinity });
  readonly #dropLog = new LogRateLimit({ lines: 1, periodMs: Infinity });
  readonly #commandLog: LogRateLimit;
  readonly #ended = new AbortController();
  readonly #recent = new RecentIds(REMEMBERED_IDS);
  readonly #queue = createTaskQueue({ concurrency: PARALLEL_COMMANDS, capacity: MAX_WAITING });
  readonly #results: ResultQueue<CommandResult>;
  #waitingLength = 0;

  constructor(options: CommandsOptions) {
    this.#options = options;
    const monotonicMs = () => options.monotonicMs();
    this.#commandLog = new LogRateLimit({ lines: LOGGED_A_MINUTE, periodMs: 60_000, monotonicMs });
    this.#results = new ResultQueue({
      ...options,
      send: (result, signal) => options.sendResult(result, signal),
      nameOf: ({ taskId }) => `the result of command ${taskId}`,
      sizeOf: ({ output }) => output.length * 2,
      expiresAfterMs: RESULT_EXPIRES_MS,
    });
  }

  /** Runs a command as soon as there is room, and sends its result; a duplicate is ignored. */
  add({ taskId, command }: CommandRequest): void {
    if (this.#ended.signal.aborted || !this.#recent.add(taskId)) return;
    const { programs } = this.#options;
    if (programs === undefined) {
      if (this.#refusalLog.allows()) {
        this.#log.warning("Refused a command of the panel: remote control is off");
      }
      return this.#refuse(taskId, DISABLED);
    }
    const hasRoom = this.#waitingLength + command.length <= MAX_WAITING_LENGTH;
    const isAccepted = hasRoom && this.#queue.add(() => {
      this.#waitingLength -= command.length;
      return this.#run(programs, { taskId, command });
    });
    if (!isAccepted) return this.#refuse(taskId, TOO_MANY);
    this.#waitingLength += command.length;
  }

  /** Kills all commands and drops those that wait; resolves when nothing is left. */
  async close(): Promise<void> {
    this.#ended.abort(new DOMException("The agent ends", "AbortError"));
    await Promise.all([this.#queue.close(), this.#results.close()]);
  }

  async #run(programs: Programs, { taskId, command }: CommandRequest): Promise<void> {
    const startMs = this.#options.monotonicMs();
    const level = this.#nextLevel();
    this.#log[level]("Command {taskId} starts", { taskId });
    // A command may contain a password.
    this.#log.debug("Command {taskId} is {command}", { taskId, command });
    try {
      const { account, env } = execEnvironment(programs);
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
      this.#send(taskId, { output, exitCode });
    } catch (error) {
      this.#log.info("Command {taskId} was aborted: {error}", {
        taskId,
        error: describeError(error),
      });
    }
  }

  /** The level at which the next command is logged. */
  #nextLevel(): "info" | "debug" {
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
    if (this.#results.size < MAX_REFUSALS) {
      this.#send(taskId, { output, exitCode: NOT_STARTED });
    } else if (this.#dropLog.allows()) {
      this.#log.warning("The panel sends too many commands: some get no answer");
    }
  }

  #send(taskId: string, { output, exitCode }: { output: string; exitCode: number }): void {
    const finishedAt = this.#options.wallClock();
    this.#results.add({ taskId, output, exitCode, finishedAt });
  }
}
