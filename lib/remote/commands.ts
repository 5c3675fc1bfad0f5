import type { Programs } from "../host/programs.ts";
import { settlesWithin } from "../async/timeout.ts";
import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import { STOP_RESULTS_MS } from "../panel/http_exchange.ts";
import { MAX_COMMAND_BYTES, type PanelOrder } from "../panel/orders.ts";
import type { PanelSender } from "../panel/panel_sender.ts";
import { NOT_STARTED, runCommand } from "./command.ts";
import { type CommandOutput, CommandOutputs } from "./command_output.ts";
import { wholeText } from "../types.ts";
import { execEnvironment } from "./exec_environment.ts";
import { type QueuedResult, ResultQueue } from "./result_queue.ts";
import { createTaskQueue, RecentIds } from "./task_queue.ts";

type CommandOrder = PanelOrder & { kind: "command" };

const PARALLEL_COMMANDS = 64;

/** All commands that wait or run, together, in UTF-16 code units: a shell reads them as it goes. */
const MAX_LENGTH = 4 * MAX_COMMAND_BYTES;
/** Added to the length of each, so that their number is bounded too: a panel may send hundreds at once. */
const OVERHEAD_LENGTH = 16 * 1024;

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
  readonly #commandLog = new LogRateLimit({ lines: LOGGED_A_MINUTE });
  readonly #ended = new AbortController();
  readonly #recent = new RecentIds();
  // Their length is bounded.
  readonly #queue = createTaskQueue({ concurrency: PARALLEL_COMMANDS, capacity: Infinity });
  readonly #results = new ResultQueue();
  readonly #outputs = new CommandOutputs();
  readonly #waiting = new Set<CommandOrder>();
  #length = 0;

  /**
   * @param programs `undefined` when remote control is off: every command is refused then.
   * @param timeoutMs Limit of a command.
   */
  constructor(programs: Programs | undefined, sender: PanelSender, timeoutMs: number) {
    this.#programs = programs;
    this.#sender = sender;
    this.#timeoutMs = timeoutMs;
  }

  /** Runs a command as soon as there is room, and sends its result; a duplicate is ignored. */
  handle(order: CommandOrder): void {
    const { taskId, command } = order;
    if (!this.#recent.add(taskId)) return;
    const programs = this.#programs;
    if (programs === undefined) return this.#refuse(taskId, DISABLED);
    if (this.#ended.signal.aborted) return this.#refuse(taskId, NOT_RUN);
    const length = command.length + OVERHEAD_LENGTH;
    if (this.#length + length > MAX_LENGTH) return this.#refuse(taskId, TOO_MANY);
    this.#length += length;
    this.#waiting.add(order);
    this.#queue.add(async () => {
      if (this.#waiting.delete(order)) await this.#run(programs, order);
      this.#length -= length;
      if (!this.#ended.signal.aborted) this.#results.garbage.add(command.length);
    });
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
    for (const { taskId } of this.#waiting) this.#results.add(this.#answer(taskId, NOT_RUN));
    this.#waiting.clear();
    const haveEnded = this.#queue.close();
    await settlesWithin(haveEnded.then(() => this.#results.drain()), STOP_RESULTS_MS);
    await haveEnded;
    await Promise.all([this.#results.close(), this.#outputs.close()]);
  }

  async #run(programs: Programs, { taskId, command }: CommandOrder): Promise<void> {
    const startMs = performance.now();
    const level = this.#commandLog.allows() ? "info" : "debug";
    if (this.#commandLog.suppressed === 1) {
      this.#log.warning(
        "The panel sends many commands: for a minute they are logged at level debug",
      );
    }
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
      const fields = { taskId, duration, exitCode: outcome.exitCode };
      const ended = "Command {taskId} ended after {duration} with exit code {exitCode}";
      this.#log[level](ended, fields);
      this.#results.add(this.#answer(taskId, outcome.output, outcome.exitCode));
    } catch (error) {
      const reason = describeError(error);
      this.#log.info("Command {taskId} was aborted: {error}", { taskId, error: reason });
      const output = this.#ended.signal.aborted ? NOT_ENDED : reason;
      this.#results.add(this.#answer(taskId, output));
    }
  }

  #refuse(taskId: string, output: string): void {
    this.#results.addRefusal(this.#answer(taskId, output));
  }

  #answer(
    taskId: string,
    output: string | CommandOutput,
    exitCode: number = NOT_STARTED,
  ): QueuedResult {
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
