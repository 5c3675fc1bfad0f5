import type { Programs } from "../host/programs.ts";
import { describeError } from "../log.ts";
import { OutputReader } from "./output_reader.ts";
import { ProcessFamily } from "./process_family.ts";
import { settlesWithin } from "./settles_within.ts";

/** What a command works with. */
export interface CommandOptions {
  readonly programs: Programs;
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The folder that it runs in. */
  readonly cwd: string;
  readonly timeoutMs: number;
  /** Ends it at once. */
  readonly signal: AbortSignal;
}

/** What a command said, and how it ended. */
export interface CommandOutcome {
  readonly output: string;
  readonly exitCode: number;
}

/** More than this is not kept of what a command says. */
export const OUTPUT_LIMIT_BYTES = 1024 * 1024;

/** What errors get of it at least, when there is more of both than fits. */
const ERRORS_SHARE_BYTES = OUTPUT_LIMIT_BYTES / 4;

/** A command that is asked to end has so long for it. */
const TERM_MS = 5000;

/** What was said before the shell ended lies in the pipes; reading it takes no longer. */
const DRAIN_MS = 1000;

/** Reading what is left when all are killed takes no longer. */
const LAST_WORDS_MS = 250;

/** The exit code of `timeout(1)`. */
const TIMED_OUT = 124;

/** The exit code of a command that was not started. */
export const NOT_RUN = -1;

/**
 * Runs `sh -s` with the command on its standard input, and gives standard output, then standard
 * error, each on its own line.
 *
 * When the shell has ended, its children end too: those that still hold its output get a second to
 * say what they have to say, then all of its session is killed. What is to go on has to leave the
 * session, as with `setsid`. A command that takes longer than `timeoutMs` is sent SIGTERM, and what
 * is left of it 5 s later SIGKILL; its exit code is 124.
 *
 * @throws The signal's reason when it aborts; nothing of the command is left then.
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
    return { output: describeError(error), exitCode: NOT_RUN };
  }
  const family = new ProcessFamily(programs, { root: child.pid, session: child.pid });
  const limit = { limitBytes: OUTPUT_LIMIT_BYTES };
  const out = new OutputReader(child.stdout, limit);
  const errors = new OutputReader(child.stderr, limit);
  const fed = feed(child.stdin, command);
  let inTime: boolean;
  try {
    inTime = await settlesWithin(child.status, options.timeoutMs, { signal });
    if (!inTime && !signal.aborted) {
      await family.signal("SIGTERM");
      await settlesWithin(family.gone(TERM_MS), TERM_MS, { signal });
    }
    if (inTime) await settlesWithin(Promise.all([out.ended, errors.ended]), DRAIN_MS, { signal });
  } finally {
    await family.kill();
    // What they said last lies in the pipes; whoever has left the session may hold them for ever.
    const ended = Promise.all([out.ended, errors.ended, fed]);
    await settlesWithin(ended, LAST_WORDS_MS, { signal });
    await Promise.all([out.cancel(), errors.cancel()]);
  }
  const { code } = await child.status;
  signal.throwIfAborted();
  const seconds = options.timeoutMs / 1000;
  const note = inTime ? "" : `[ended after ${seconds} s: the command took too long]`;
  return { output: textOf(out, errors, note), exitCode: inTime ? code : TIMED_OUT };
}

/** A shell that ends before it has read everything is no error. */
async function feed(stdin: WritableStream<Uint8Array>, command: string): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(`${command}\n`));
    await writer.close();
  } catch {
    await writer.abort().catch(() => {});
  }
}

function textOf({ kept: out }: OutputReader, { kept: errors }: OutputReader, note: string): string {
  const errorsBytes = Math.min(
    errors.keptBytes,
    Math.max(OUTPUT_LIMIT_BYTES - out.keptBytes, ERRORS_SHARE_BYTES),
  );
  const outBytes = Math.min(out.keptBytes, OUTPUT_LIMIT_BYTES - errorsBytes);
  const cutBytes = out.totalBytes - outBytes + errors.totalBytes - errorsBytes;
  const cut = cutBytes === 0 ? "" : `[${cutBytes} more bytes of output were cut off]`;
  let text = "";
  for (const part of [out.text(outBytes), errors.text(errorsBytes), cut, note]) {
    if (part !== "" && text !== "" && !text.endsWith("\n")) text += "\n";
    text += part;
  }
  return text;
}
