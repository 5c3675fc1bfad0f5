import type { ProgramOptions, Programs } from "../host/programs.ts";
import { describeError } from "../log/log.ts";
import { settlesWithin } from "../async/timeout.ts";
import { type BoundedOutput, OutputReader } from "../host/bounded_output.ts";
import { ProcessTree } from "./process_tree.ts";

/** Settings of a command. */
export interface CommandOptions extends Omit<ProgramOptions, "args"> {
  readonly programs: Programs;
  readonly timeoutMs: number;
  /** Kills the command. */
  readonly signal: AbortSignal;
}

/** Output and exit code of a command. */
export interface CommandOutcome {
  readonly output: string;
  readonly exitCode: number;
}

/** Limit of a command's output; the rest is cut off. */
export const OUTPUT_LIMIT_BYTES = 1024 * 1024;

/** Share of the limit that standard error has when both streams exceed it together. */
const STDERR_SHARE_BYTES = OUTPUT_LIMIT_BYTES / 4;

/** Time between SIGTERM and SIGKILL. */
const TERM_GRACE_MS = 5000;

/** Limit for reading what is left in the pipes when the shell has exited. */
const DRAIN_MS = 1000;

/** Limit for reading what is left in the pipes when all processes were killed. */
const DRAIN_AFTER_KILL_MS = 250;

/** Exit code of a command that timed out, as `timeout(1)` has it. */
const TIMED_OUT = 124;

/** Exit code of a command that was not started. */
export const NOT_STARTED = -1;

/**
 * Runs `sh -s` with the command on its standard input, and returns standard output, then standard
 * error, each on its own line.
 *
 * When the shell has exited, its children have a second to finish their output, then all processes
 * of the session are killed. A process that is to go on has to leave the session, as with `setsid`.
 * A command that exceeds `timeoutMs` is sent SIGTERM and 5 s later SIGKILL; its exit code is 124.
 *
 * @throws The signal's reason when it aborts; no process of the command is left then.
 */
export async function runCommand(
  command: string,
  options: CommandOptions,
): Promise<CommandOutcome> {
  const { programs, env, cwd, signal } = options;
  signal.throwIfAborted();
  if (command.trim() === "") return { output: "No command provided", exitCode: 0 };
  let child: Deno.ChildProcess;
  try {
    child = programs.start("/bin/sh", { args: ["-s"], env, cwd });
  } catch (error) {
    return { output: describeError(error), exitCode: NOT_STARTED };
  }
  const tree = new ProcessTree(programs, { rootPid: child.pid, sessionId: child.pid });
  const limit = { limitBytes: OUTPUT_LIMIT_BYTES };
  const stdout = new OutputReader(child.stdout, limit);
  const stderr = new OutputReader(child.stderr, limit);
  // A shell that exits before it has read all of it is no error.
  const written = new Blob([command, "\n"]).stream().pipeTo(child.stdin).catch(() => {});
  let inTime: boolean;
  try {
    inTime = await settlesWithin(child.status, options.timeoutMs, { signal });
    if (!inTime && !signal.aborted) {
      await tree.signal("SIGTERM");
      await settlesWithin(tree.exited(TERM_GRACE_MS), TERM_GRACE_MS, { signal });
    }
    if (inTime) {
      await settlesWithin(Promise.all([stdout.ended, stderr.ended]), DRAIN_MS, { signal });
    }
  } finally {
    await tree.kill();
    // A process that has left the session may keep the pipes open for ever.
    const ended = Promise.all([stdout.ended, stderr.ended, written]);
    await settlesWithin(ended, DRAIN_AFTER_KILL_MS, { signal });
    await Promise.all([stdout.cancel(), stderr.cancel()]);
  }
  const { code } = await child.status;
  signal.throwIfAborted();
  const seconds = options.timeoutMs / 1000;
  const note = inTime ? "" : `[ended after ${seconds} s: the command took too long]`;
  return {
    output: joinOutput(stdout.output, stderr.output, { note }),
    exitCode: inTime ? code : TIMED_OUT,
  };
}

function joinOutput(out: BoundedOutput, err: BoundedOutput, { note }: { note: string }): string {
  const errBytes = Math.min(
    err.keptBytes,
    Math.max(OUTPUT_LIMIT_BYTES - out.keptBytes, STDERR_SHARE_BYTES),
  );
  const outBytes = Math.min(out.keptBytes, OUTPUT_LIMIT_BYTES - errBytes);
  const cutBytes = out.totalBytes - outBytes + err.totalBytes - errBytes;
  const cut = cutBytes === 0 ? "" : `[${cutBytes} more bytes of output were cut off]`;
  let text = "";
  for (const part of [out.text(outBytes), err.text(errBytes), cut, note]) {
    if (part !== "" && text !== "" && !text.endsWith("\n")) text += "\n";
    text += part;
  }
  return text;
}
