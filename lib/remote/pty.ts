import { BoundedQueue } from "../async/bounded_queue.ts";
import type { Programs } from "../host/programs.ts";
import { isJsonObject, parseJson } from "../parse/json.ts";
import { quoteShellWord } from "../parse/shell_words.ts";
import type { ExecEnvironment } from "./exec_environment.ts";
import { settlesWithin } from "../async/timeout.ts";

/**
 * Shell script that opens a terminal: `script` with the command in `$1`. Descriptor 3 bypasses the
 * terminal, for the command to report which terminal it got.
 */
const START_PTY = 'exec 3>&2; exec script -q -f -c "$1" /dev/null';

/**
 * Shell script that runs in the terminal: it writes session and terminal to descriptor 3, and becomes
 * the login shell.
 *
 * `stty sane` is needed since `script` leaves the echo off when its own input is no terminal. Not every
 * `stty` knows `iutf8`.
 */
function ptyCommand(shell: string): string {
  const path = quoteShellWord(shell);
  return `
stty sane rows 24 cols 80 2>/dev/null
stty iutf8 2>/dev/null
printf '%s %s\\n' "$$" "$(tty)" >&3
exec 3>&-
export SHELL=${path}
exec ${path} -l`;
}

const NO_SCRIPT = 'there is no "script" command; install util-linux (util-linux-misc on Alpine)';

const CHUNK_BYTES = 32 * 1024;

/** Time for the shell to end after SIGHUP, before its terminal is taken away. */
const HANGUP_GRACE_MS = 200;

/** Input that the terminal has not read yet; with more of it the connection has to wait. */
const MAX_PENDING_BYTES = 1024 * 1024;

/** Limit of the error messages of `script`. */
const MAX_ERROR_LENGTH = 1000;

/** A login shell in a pseudo-terminal, which the `script` of util-linux opens. */
export class Pty {
  readonly #programs: Programs;
  readonly #child: Deno.ChildProcess;
  readonly #env: Readonly<Record<string, string>>;
  readonly #reader: ReadableStreamBYOBReader;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  /** One change at a time, and only the last of a burst. */
  readonly #sizes = new BoundedQueue<TerminalSize>({
    run: (size) => this.#setSize(size),
    concurrency: 1,
    capacity: 1,
    whenFull: "drop oldest",
  });
  readonly #stderrRead: Promise<void>;
  #buffer = new ArrayBuffer(CHUNK_BYTES);
  #pendingBytes = 0;
  #stderr = "";
  #sessionId: number | undefined;
  /** Device of the terminal; empty until it is there. */
  #path = "";
  #size: TerminalSize | undefined;

  /**
   * Starts the shell. Its environment gets the variables that a login sets.
   *
   * @throws {Error} When there is no `script`, or no program can be started (`Cannot start …`).
   */
  constructor(programs: Programs, { account, env }: ExecEnvironment) {
    if (programs.find("script", env["PATH"] ?? "") === undefined) throw new Error(NO_SCRIPT);
    this.#programs = programs;
    this.#env = env;
    this.#child = programs.start("/bin/sh", {
      args: ["-c", START_PTY, "sh", ptyCommand(account.shell)],
      env: {
        LANG: "C.UTF-8",
        ...env,
        TERM: "xterm-256color",
        HOME: account.home,
        USER: account.name,
        LOGNAME: account.name,
        // `script` runs its command with it; the command sets the account's own.
        SHELL: "/bin/sh",
      },
      cwd: account.home,
    });
    this.#reader = this.#child.stdout.getReader({ mode: "byob" });
    this.#writer = this.#child.stdin.getWriter();
    this.#stderrRead = this.#readStderr(this.#child.stderr);
  }

  /**
   * Reads output; `undefined` at its end. The bytes are good until the next call, which must not
   * come before this one has settled.
   *
   * @throws {Error} When there was no terminal, as the system says it.
   */
  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { value, done } = await this.#reader.read(new Uint8Array(this.#buffer));
    if (done) {
      // Error messages come by another pipe.
      await this.#stderrRead;
      const reason = this.#sessionId === undefined ? this.#stderr.trim() : "";
      if (reason !== "") throw new Error(reason);
      return undefined;
    }
    this.#buffer = value.buffer;
    return value;
  }

  /** Writes input; waits only when much of it is pending, so that what follows it is read. Never rejects. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#pendingBytes += bytes.length;
    const written = this.#writer.write(bytes).then(
      () => void (this.#pendingBytes -= bytes.length),
      // The shell has gone; the end of its output is the end of the terminal.
      () => {},
    );
    if (this.#pendingBytes > MAX_PENDING_BYTES) await written;
  }

  /** Changes the size soon; the foreground process gets SIGWINCH. */
  resize(size: TerminalSize): void {
    this.#size = size;
    if (this.#path !== "") this.#sizes.add(size);
  }

  /**
   * Hangs up, as the kernel does when a line is lost: the shell gets SIGHUP and passes it on to its
   * jobs, and the kernel to those in the foreground. What ignores it, or is `disown`ed, lives on
   * without a terminal.
   */
  async close(): Promise<void> {
    const shell = this.#sessionId ?? 0;
    this.#programs.kill(shell, "SIGHUP");
    // A stopped process gets the signal only when it is continued.
    this.#programs.kill(shell, "SIGCONT");
    const drained = this.#reader.cancel().catch(() => {});
    // `script` reaps the shell, and ends with it.
    await settlesWithin(this.#child.status, HANGUP_GRACE_MS);
    this.#programs.killGroup(this.#child.pid, "SIGKILL");
    await Promise.all([
      drained,
      this.#sizes.close(),
      this.#writer.abort().catch(() => {}),
      this.#stderrRead,
      this.#child.status,
    ]);
  }

  async #setSize({ rows, columns }: TerminalSize): Promise<void> {
    await this.#programs.run("stty", {
      args: ["-F", this.#path, "rows", String(rows), "cols", String(columns)],
      env: this.#env,
      cwd: "/",
    });
  }

  /** Reads where the terminal is, or why there is none. */
  async #readStderr(stderr: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of stderr) {
        if (this.#sessionId !== undefined || this.#stderr.length > MAX_ERROR_LENGTH) continue;
        this.#stderr += decoder.decode(chunk, { stream: true });
        const [, sessionId, path] = /^(\d{1,10}) (\/dev\/\S+)\n/m.exec(this.#stderr) ?? [];
        if (sessionId === undefined || path === undefined) continue;
        this.#sessionId = Number(sessionId);
        this.#path = path;
        if (this.#size !== undefined) this.#sizes.add(this.#size);
      }
    } catch {
      // The process is gone; its output ends as well.
    }
  }
}

/** Rows and columns of a terminal, 1 to 1000 each. */
export interface TerminalSize {
  rows: number;
  columns: number;
}

/** Meaning of a frame on a terminal's connection. */
export type TerminalMessage =
  | { kind: "keys"; keys: Uint8Array<ArrayBuffer> }
  | { kind: "resize"; size: TerminalSize }
  /** The user has closed the terminal. */
  | { kind: "close" };

const LARGEST_SIZE = 1000;

/**
 * Reads a frame that the panel sends to a terminal; `undefined` when it is a message of an unknown kind,
 * a heartbeat, or one without a usable value.
 *
 * Only a JSON object is a message: a digit that is typed is JSON as well.
 */
export function parseTerminalMessage(
  frame: string | Uint8Array<ArrayBuffer>,
): TerminalMessage | undefined {
  if (typeof frame !== "string") return { kind: "keys", keys: frame };
  // Most frames are single keys.
  const message = frame.trimStart().startsWith("{") ? parseJson(frame) : undefined;
  if (!isJsonObject(message)) return keysOf(frame);
  switch (message["type"]) {
    case "close":
      return { kind: "close" };
    case "input":
      return typeof message["input"] === "string" ? keysOf(message["input"]) : undefined;
    case "resize": {
      const rows = edge(message["rows"]);
      const columns = edge(message["cols"]);
      if (rows === undefined || columns === undefined) return undefined;
      return { kind: "resize", size: { rows, columns } };
    }
    default:
      return undefined;
  }
}

/** A browser whose window is hidden asks for 0 rows; that is no size. */
function edge(value: unknown): number | undefined {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1) return undefined;
  return Math.min(value, LARGEST_SIZE);
}

function keysOf(text: string): TerminalMessage {
  return { kind: "keys", keys: new TextEncoder().encode(text) };
}
