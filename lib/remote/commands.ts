import type { Programs } from "../host/programs.ts";
import { settlesWithin } from "../async/timeout.ts";
import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import { STOP_RESULTS_MS } from "../panel/http_exchange.ts";
import { MAX_COMMAND_BYTES, type PanelOrder } from "../panel/orders.ts";
import type { PanelSender } from "../panel/panel_sender.ts";
import { type CommandOutcome, NOT_STARTED, runCommand } from "./command.ts";
import { CommandOutputs } from "./command_output.ts";
import { wholeText } from "../types.ts";
import { execEnvironment } from "./exec_environment.ts";
import { type QueuedResult, ResultQueue } from "./result_queue.ts";
import { createTaskQueue, RecentIds } from "./task_queue.ts";

type CommandOrder = PanelOrder & { kind: "command" };

const PARALLEL_COMMANDS = 64;

/** They are texts until they start, and a panel may send hundreds at once. */
const MAX_WAITING = 1000;

/** All commands that wait or run, together, in UTF-16 code units: a shell reads them as it goes. */
const MAX_LENGTH = 4 * MAX_COMMAND_BYTES;

/** Commands of a minute that are logged one by one at the level info. */
const LOGGED_A_MINUTE = 2;

const RESULT_EXPIRES_MS = 60 * 60_000;

/** Characters that stay of an output that a panel refuses; in JSON each may take six bytes. */
const CUT_LENGTH = 64 * 1024;

const DISABLED = "Remote control is disabled.";

const TOO_MANY = "The command was not run: too many others wait already. Try again later.";

const NOT_RUN = "The agent stopped before the command ran.";

const NOT_ENDED = "The agent stopped before the command ended.";

/** The panel's commands: 64 run at a time, some wait, all others are refused. */
export class Commands {
  readonly #programs: Programs | undefined;
  readonly #sender: PanelSender;
  readonly #timeoutMs: number;
  readonly #log = getLogger("remote");
  readonly #refusalLog = LogRateLimit.once();
  readonly #commandLog = new LogRateLimit({ lines: LOGGED_A_MINUTE });
  readonly #ended = new AbortController();
  readonly #recent = new RecentIds();
  readonly #queue = createTaskQueue({ concurrency: PARALLEL_COMMANDS, capacity: MAX_WAITING });
  readonly #results = new ResultQueue();
  readonly #outputs = new CommandOutputs();
  readonly #waiting = new Set<CommandOrder>();
  #length = 0;

  /**
   * @param programs `undefined` when remote control is off: every command is refused then.
   * @param options `timeoutMs`: limit of a command.
   */
  constructor(
    programs: Programs | undefined,
    sender: PanelSender,
    { timeoutMs }: { timeoutMs: number },
  ) {
    this.#programs = programs;
    this.#sender = sender;
    this.#timeoutMs = timeoutMs;
  }

  /** Runs a command as soon as there is room, and sends its result; a duplicate is ignored. */
  handle(order: CommandOrder): void {
    const { taskId, command } = order;
    if (!this.#recent.add(taskId)) return;
    const programs = this.#programs;
    if (programs === undefined) {
      this.#refusalLog.write(() =>
        this.#log.warning(
          "Refused a command of the panel: remote control is off \u2192 " +
            "--enable-remote-control turns it on, if that is wanted",
        )
      );
      return this.#refuse(taskId, DISABLED);
    }
    if (this.#ended.signal.aborted) return this.#refuse(taskId, NOT_RUN);
    const hasRoom = this.#length + command.length <= MAX_LENGTH;
    const isAccepted = hasRoom && this.#queue.add(async () => {
      if (this.#waiting.delete(order)) await this.#run(programs, order);
      this.#length -= command.length;
      if (!this.#ended.signal.aborted) this.#results.garbage.add(command.length);
    });
    if (!isAccepted) return this.#refuse(taskId, TOO_MANY);
    this.#waiting.add(order);
    this.#length += command.length;
  }

  /** Answers a command that was not read, since it is too long. */
  refuseLong(taskId: string, reason: string): void {
    if (!this.#recent.add(taskId)) return;
    const output = this.#programs === undefined ? DISABLED : `The command was not run: ${reason}.`;
    this.#refuse(taskId, output);
  }

  /**
   * Kills the process groups of all commands, and tries once to send a result for each, also for those
   * that wait; resolves when nothing is left.
   */
  async close(): Promise<void> {
    this.#ended.abort(new DOMException("The agent ends", "AbortError"));
    for (const { taskId } of this.#waiting) this.#results.add(this.#notStarted(taskId, NOT_RUN));
    this.#waiting.clear();
    const haveEnded = this.#queue.close();
    await settlesWithin(haveEnded.then(() => this.#results.drain()), STOP_RESULTS_MS);
    await haveEnded;
    await Promise.all([this.#results.close(), this.#outputs.close()]);
  }

  async #run(programs: Programs, { taskId, command }: CommandOrder): Promise<void> {
    const startMs = performance.now();
    const level = this.#nextLevel();
    this.#log[level]("Command {taskId} starts", { taskId });
    // A command may contain a password.
    this.#log.debug("Command {taskId} is {command}", { taskId, command });
    try {
      const { account, env } = execEnvironment(programs);
      const outcome = await runCommand(command, {
        programs,
        outputs: this.#outputs,
        env: { HOME: account.home, ...env },
        cwd: account.home,
        timeoutMs: this.#timeoutMs,
        signal: this.#ended.signal,
      });
      const duration = `${((performance.now() - startMs) / 1000).toFixed(1)} s`;
      this.#log[level]("Command {taskId} ended after {duration} with exit code {exitCode}", {
        taskId,
        duration,
        exitCode: outcome.exitCode,
      });
      this.#results.add(this.#queued(taskId, outcome));
    } catch (error) {
      this.#log.info("Command {taskId} was aborted: {error}", {
        taskId,
        error: describeError(error),
      });
      const isStopped = this.#ended.signal.aborted;
      const output = isStopped ? NOT_ENDED : describeError(error);
      this.#results.add(this.#notStarted(taskId, output));
    }
  }

  /** The level at which the next command is logged. */
  #nextLevel(): "info" | "debug" {
    if (this.#commandLog.allows()) return "info";
    if (this.#commandLog.suppressed === 1) {
      this.#log.warning(
        "The panel sends many commands: for a minute they are logged at level debug",
      );
    }
    return "debug";
  }

  #refuse(taskId: string, output: string): void {
    this.#results.addRefusal(this.#notStarted(taskId, output));
  }

  #notStarted(taskId: string, output: string): QueuedResult {
    return this.#queued(taskId, { output, exitCode: NOT_STARTED });
  }

  #queued(taskId: string, { output, exitCode }: CommandOutcome): QueuedResult {
    const result = { taskId, exitCode, finishedAt: new Date() };
    const isText = typeof output === "string";
    return {
      name: `the result of command ${taskId}`,
      // The bytes of a command's output are bounded with those of all others.
      bytes: isText ? output.length * 2 : 0,
      messageBytes: output.length,
      expiresAfterMs: RESULT_EXPIRES_MS,
      send: (signal, isShort) => {
        const sent = isShort ? cut(wholeText(output)) : output;
        return this.#sender.sendCommandResult({ ...result, output: sent }, signal);
      },
      onGone: () => isText ? undefined : output.release(),
    };
  }
}

/** The start of an output that is too long for a panel, with a note. */
function cut(output: string): string {
  if (output.length <= CUT_LENGTH) return output;
  const kept = output.slice(0, CUT_LENGTH).toWellFormed();
  return `${kept}\n[${output.length - kept.length} more characters were cut off: ` +
    "the panel takes no longer result]";
}
