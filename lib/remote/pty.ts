import type { Programs } from "../host/programs.ts";
import type { Account } from "../parse/passwd.ts";
import { quoteShellWord } from "../parse/shell_words.ts";
import { ProcessFamily } from "./process_tree.ts";
import type { TerminalSize } from "./terminal_messages.ts";

/** The size of a terminal that nobody has told one. */
const FIRST_SIZE = "rows 24 cols 80";

/**
 * What `/bin/sh` runs to get a terminal: `script` with the command in `$1`. Descriptor 3 leads past
 * the terminal to this process, for whoever runs in there to say where they are.
 */
export const START_PTY = 'exec 3>&2; exec script -q -f -c "$1" /dev/null';

/**
 * What runs within the terminal: it says its session and its terminal on descriptor 3, shows the
 * message of the day and becomes the login shell.
 *
 * `script` leaves the echo off when its own input is no terminal.
 */
export function ptyCommand(shell: string): string {
  const path = quoteShellWord(shell);
  return `
stty sane 2>/dev/null
stty iutf8 2>/dev/null
stty ${FIRST_SIZE} 2>/dev/null
printf '%s %s\\n' "$$" "$(tty)" >&3
exec 3>&-
[ -e "$HOME/.hushlogin" ] || for file in /run/motd.dynamic /etc/motd; do
  [ -f "$file" ] && cat "$file"
done
export SHELL=${path}
exec ${path} -l`;
}

/** Gives a terminal its size: one at a time, and of a burst only the last. */
export class Resizer {
  readonly #apply: (size: TerminalSize) => Promise<unknown>;
  #next: TerminalSize | undefined;
  #isReady = false;
  #applying: Promise<void> | undefined;

  /** `apply` must not reject. */
  constructor(apply: (size: TerminalSize) => Promise<unknown>) {
    this.#apply = apply;
  }

  /** Applies a size as soon as it can; an earlier one that still waits is forgotten. */
  resize(size: TerminalSize): void {
    this.#next = size;
    if (this.#isReady) this.#applying ??= this.#applyAll();
  }

  /** To be called when there is a terminal. */
  start(): void {
    this.#isReady = true;
    if (this.#next !== undefined) this.resize(this.#next);
  }

  /** Applies nothing more; resolves when what is under way has ended. */
  async close(): Promise<void> {
    this.#isReady = false;
    this.#next = undefined;
    await this.#applying;
  }

  async #applyAll(): Promise<void> {
    for (let size = this.#next; size !== undefined; size = this.#next) {
      this.#next = undefined;
      await this.#apply(size);
    }
    this.#applying = undefined;
  }
}

/** Who gets a terminal. */
export interface PtyOptions {
  readonly programs: Programs;
  readonly account: Account;
  /** All of the environment but what a login sets. */
  readonly env: Readonly<Record<string, string>>;
}

const CHUNK_BYTES = 32 * 1024;

/** What is hung up has so long to put its things in order. */
const HANG_UP_MS = 200;

/** Of what `script` complains about this much is kept. */
const COMPLAINT_LENGTH = 1000;

/** A login shell in a terminal of its own, which the `script` of util-linux opens. */
export class Pty {
  readonly #programs: Programs;
  readonly #child: Deno.ChildProcess;
  readonly #env: Readonly<Record<string, string>>;
  readonly #reader: ReadableStreamBYOBReader;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #resizer = new Resizer((size) => this.#setSize(size));
  readonly #told: Promise<void>;
  #buffer = new ArrayBuffer(CHUNK_BYTES);
  #complaint = "";
  #session: number | undefined;
  #path = "";

  private constructor(child: Deno.ChildProcess, options: PtyOptions) {
    this.#programs = options.programs;
    this.#env = options.env;
    this.#child = child;
    this.#reader = child.stdout.getReader({ mode: "byob" });
    this.#writer = child.stdin.getWriter();
    this.#told = this.#listen(child.stderr);
  }

  /** @throws {Error} When nothing can be started (`Cannot start …`). */
  static start(options: PtyOptions): Pty {
    const { programs, account, env } = options;
    const child = programs.start("/bin/sh", {
      args: ["-c", START_PTY, "sh", ptyCommand(account.shell)],
      env: {
        LANG: "C.UTF-8",
        ...env,
        TERM: "xterm-256color",
        HOME: account.home,
        USER: account.name,
        LOGNAME: account.name,
        // It is what `script` runs its command with; the command sets the account's own.
        SHELL: "/bin/sh",
      },
      cwd: account.home,
    });
    return new Pty(child, options);
  }

  /** Why there is no terminal, in the words of the system; empty when there is or was one. */
  get complaint(): string {
    return this.#session === undefined ? this.#complaint.trim() : "";
  }

  /**
   * What is shown next; `undefined` at the end. The bytes are good until the next call, which must
   * not come before this one has settled.
   */
  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { value, done } = await this.#reader.read(new Uint8Array(this.#buffer));
    if (done) {
      // What `script` has to say about its end comes another way.
      await this.#told;
      return undefined;
    }
    this.#buffer = value.buffer;
    return value;
  }

  /** Types; resolves when the terminal has taken it, and rejects when it is gone. */
  write(bytes: Uint8Array): Promise<void> {
    return this.#writer.write(bytes);
  }

  /** Changes the size, soon; whatever runs in the foreground is told. */
  resize(size: TerminalSize): void {
    this.#resizer.resize(size);
  }

  /** Hangs up, and ends whoever does not take that for an end; nothing is left afterwards. */
  async close(): Promise<void> {
    const family = new ProcessFamily(this.#programs, {
      root: this.#child.pid,
      session: this.#session ?? this.#child.pid,
    });
    // Not `script` itself: it has to bury the shell.
    await family.signal("SIGHUP", { sparesRoot: true });
    // A stopped process takes notice only when it goes on.
    await family.signal("SIGCONT", { sparesRoot: true });
    const drained = this.#reader.cancel().catch(() => {});
    await family.gone(HANG_UP_MS);
    await family.kill();
    await Promise.all([
      drained,
      this.#resizer.close(),
      this.#writer.abort().catch(() => {}),
      this.#told,
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

  async #listen(words: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of words) {
        if (this.#session !== undefined || this.#complaint.length > COMPLAINT_LENGTH) continue;
        this.#complaint += decoder.decode(chunk, { stream: true });
        const [, session, path] = /^(\d{1,10}) (\/dev\/\S+)\n/m.exec(this.#complaint) ?? [];
        if (session === undefined || path === undefined) continue;
        this.#session = Number(session);
        this.#path = path;
        this.#resizer.start();
      }
    } catch {
      // It is gone; then its output has ended as well.
    }
  }
}
