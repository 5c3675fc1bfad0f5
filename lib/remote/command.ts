import type { Programs } from "../host/programs.ts";
import { describeError } from "../log/log.ts";
import { ProcessFamily } from "./process_tree.ts";
import { settlesWithin } from "./settles_within.ts";

/** The smallest buffer. */
const FIRST_BYTES = 4096;

/** The beginning of what a program said; the rest is counted only. */
export class KeptOutput {
  readonly #limitBytes: number;
  #bytes = new Uint8Array(0);
  #keptBytes = 0;
  #totalBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Bytes that were said in all. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** Bytes that are kept. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Takes what was said next; the bytes are copied. */
  add(bytes: Uint8Array): void {
    this.#totalBytes += bytes.length;
    const taken = bytes.subarray(0, this.#limitBytes - this.#keptBytes);
    if (taken.length === 0) return;
    this.#makeRoom(this.#keptBytes + taken.length);
    this.#bytes.set(taken, this.#keptBytes);
    this.#keptBytes += taken.length;
  }

  /**
   * The first bytes as text, at most so many. What is no UTF-8 becomes a replacement character; a
   * character that does not fit is left out as a whole.
   */
  text(limitBytes: number): string {
    const bytes = this.#bytes.subarray(0, Math.min(limitBytes, this.#keptBytes));
    const isCut = bytes.length < this.#totalBytes;
    // A decoder that expects more holds a character's first bytes back.
    return new TextDecoder().decode(bytes, { stream: isCut });
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#bytes.length) return;
    const size = Math.max(bytes, FIRST_BYTES, this.#bytes.length * 2);
    const larger = new Uint8Array(Math.min(size, this.#limitBytes));
    larger.set(this.#bytes.subarray(0, this.#keptBytes));
    this.#bytes = larger;
  }
}

const CHUNK_BYTES = 64 * 1024;

/** So many chunks are read before others get their turn. */
const CHUNKS_AT_A_TIME = 4;

/** Reads all that a program says, so that it never has to wait, and keeps the beginning. */
export class OutputReader {
  readonly kept: KeptOutput;
  /** Settles when the program has closed its end, or after {@linkcode cancel}; never rejects. */
  readonly ended: Promise<void>;
  readonly #reader: ReadableStreamBYOBReader;

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>, options: { limitBytes: number }) {
    this.kept = new KeptOutput(options.limitBytes);
    this.#reader = stream.getReader({ mode: "byob" });
    this.ended = this.#readAll();
  }

  /** Reads no more. */
  async cancel(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
    await this.ended;
  }

  async #readAll(): Promise<void> {
    // One buffer goes back and forth, so that 200 MB of output leave no garbage.
    let buffer = new ArrayBuffer(CHUNK_BYTES);
    try {
      for (let chunks = 1;; chunks++) {
        const { value, done } = await this.#reader.read(new Uint8Array(buffer));
        if (done) return;
        this.kept.add(value);
        buffer = value.buffer;
        // A pipe that is never empty would keep timers and other connections from their turn.
        if (chunks % CHUNKS_AT_A_TIME === 0) await new Promise((turn) => setTimeout(turn, 0));
      }
    } catch {
      // The other end is gone in a way that is no end; what came before counts all the same.
    }
  }
}

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
