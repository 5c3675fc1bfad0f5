import { delay } from "@std/async/delay";
import type { ProgramOptions, Programs } from "../host/programs.ts";
import { describeError } from "../log/log.ts";
import { settlesWithin } from "../async/timeout.ts";
import type { ProcessStat } from "../parse/process_stat.ts";
import { CommandOutput, type CommandOutputs } from "./command_output.ts";

/** Settings of a command. */
export interface CommandOptions extends Omit<ProgramOptions, "args"> {
  readonly programs: Programs;
  readonly outputs: CommandOutputs;
  readonly timeoutMs: number;
  /** Kills the command's process group. */
  readonly signal: AbortSignal;
}

/** Output and exit code of a command. */
export interface CommandOutcome {
  readonly output: string | CommandOutput;
  readonly exitCode: number;
}

/** Time between SIGTERM and SIGKILL. */
const TERM_GRACE_MS = 5000;

/** How often it is checked meanwhile whether all processes have exited. */
const POLL_MS = 20;

/** Time for output that is still in the pipes when the shell has exited. */
const LATE_OUTPUT_MS = 200;

/** Exit code of a command that timed out, as `timeout(1)` has it. */
const TIMED_OUT = 124;

/** Exit code of a command that was not started. */
export const NOT_STARTED = -1;

/**
 * Runs `sh -s` with the command on its standard input; the output is standard output, then standard
 * error, each on its own line.
 *
 * A command is over when its shell has exited: its background jobs live on, and what they print later
 * than 0.2 s after it is thrown away. A command that exceeds `timeoutMs` is sent SIGTERM and 5 s later
 * SIGKILL, with its process group and its descendants; its exit code is 124.
 *
 * @throws The signal's reason when it aborts.
 */
export async function runCommand(
  command: string,
  options: CommandOptions,
): Promise<CommandOutcome> {
  const { programs, outputs, env, cwd, timeoutMs, signal } = options;
  signal.throwIfAborted();
  if (command.trim() === "") return { output: "No command provided", exitCode: 0 };
  let child: Deno.ChildProcess;
  try {
    child = programs.start("/bin/sh", { args: ["-s"], env, cwd });
  } catch (error) {
    return { output: describeError(error), exitCode: NOT_STARTED };
  }
  const output = new CommandOutput(outputs, child);
  const over = new AbortController();
  // A shell that exits before it has read all of it is no error.
  new Blob([command, "\n"]).stream().pipeTo(child.stdin, over).catch(() => {});
  const inTime = await settlesWithin(child.status, timeoutMs, { signal });
  if (!inTime && !signal.aborted) await endTree(programs, { pid: child.pid, signal });
  if (signal.aborted) programs.killGroup(child.pid, "SIGKILL");
  const { code } = await child.status;
  over.abort();
  await settlesWithin(output.ended, LATE_OUTPUT_MS, { signal });
  output.drain();
  if (!inTime) output.note = `[ended after ${timeoutMs / 1000} s: the command took too long]`;
  if (signal.aborted) output.release();
  signal.throwIfAborted();
  return { output, exitCode: inTime ? code : TIMED_OUT };
}

/**
 * Ends a process group and all descendants of its leader: by SIGTERM, and what is left by SIGKILL, twice
 * since one that was killed may have started another.
 */
async function endTree(
  programs: Programs,
  { pid: leader, signal }: { pid: number; signal: AbortSignal },
): Promise<void> {
  const isAlive = ({ pid, startTicks }: ProcessStat) => {
    const now = programs.process(pid);
    return now !== undefined && !now.hasExited && now.startTicks === startTicks;
  };
  let tree: ProcessStat[] = [];
  for (const name of ["SIGTERM", "SIGKILL", "SIGKILL"] as const) {
    tree = await treeOf(programs, leader, tree.filter(isAlive));
    // The whole group at once, before one of it can start another.
    programs.killGroup(leader, name);
    const others = tree.filter(({ processGroupId }) => processGroupId !== leader);
    for (const { pid } of others.filter(isAlive)) programs.kill(pid, name);
    const endMs = performance.now() + (name === "SIGTERM" ? TERM_GRACE_MS : POLL_MS);
    while (performance.now() < endMs && !signal.aborted && tree.some(isAlive)) await delay(POLL_MS);
  }
}

/** The processes of a group, others that are known, and all below them. */
async function treeOf(
  programs: Programs,
  leader: number,
  others: readonly ProcessStat[],
): Promise<ProcessStat[]> {
  const all = await programs.processes();
  const children = Map.groupBy(all, ({ parentPid }) => parentPid);
  const tree = [...others, ...all.filter(({ processGroupId }) => processGroupId === leader)];
  for (const { pid } of tree) {
    tree.push(...children.get(pid) ?? []);
    // A list that is read while processes come and go may have a circle.
    children.delete(pid);
  }
  return tree;
}
