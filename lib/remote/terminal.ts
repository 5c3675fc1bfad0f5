import { abortable } from "@std/async/abortable";
import { describeError } from "../log/log.ts";
import type { Socket } from "../net/websocket.ts";
import { Pty, type PtyOptions } from "./pty.ts";
import { parseTerminalMessage } from "./terminal_messages.ts";

/** What a terminal works with. */
export interface TerminalOptions extends PtyOptions {
  /** Ends it when no key was pressed for so long. */
  readonly idleMs: number;
  /** Ends it at once. */
  readonly signal: AbortSignal;
  readonly timers: Pick<typeof globalThis, "setTimeout" | "clearTimeout">;
  /** Milliseconds on a clock that only runs forward. */
  monotonicMs(): number;
}

/** So much may be typed that the terminal has not taken; then the connection has to wait. */
const TYPED_AHEAD_BYTES = 1024 * 1024;

/** A last line waits so long for a connection that is slow. */
const LAST_LINE_MS = 500;

const MISSING =
  'Cannot open a terminal: there is no "script" command; install util-linux (util-linux-misc on Alpine)';

/** Shows one line; gives up soon when the other side does not read. Never rejects. */
export async function sendLine(
  socket: Pick<Socket, "send">,
  options: { line: string; timers: TerminalOptions["timers"] },
): Promise<void> {
  const { timers, line } = options;
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = timers.setTimeout(resolve, LAST_LINE_MS);
  const bytes = new TextEncoder().encode(`${line}\r\n`);
  await Promise.race([socket.send(bytes).catch(() => {}), late]);
  timers.clearTimeout(timer);
}

/**
 * Joins a connection of the panel's and a login shell in a terminal, until either ends.
 *
 * Afterwards the connection is closed, and nothing that ran in the terminal is left. Output goes out
 * at the pace at which the connection takes it. Gives the reason of the end, in words for the log.
 */
export async function runTerminal(socket: Socket, options: TerminalOptions): Promise<string> {
  let pty: Pty | undefined;
  try {
    if (options.programs.find("script", options.env["PATH"] ?? "") === undefined) {
      await sendLine(socket, { line: MISSING, timers: options.timers });
      return 'there is no "script" command';
    }
    pty = Pty.start(options);
    return await new Terminal(socket, pty, options).run();
  } catch (error) {
    const line = `Cannot open a terminal: ${describeError(error)}`;
    await sendLine(socket, { line, timers: options.timers });
    return line;
  } finally {
    socket.close();
    await pty?.close();
  }
}

class Terminal {
  readonly #socket: Socket;
  readonly #pty: Pty;
  readonly #options: TerminalOptions;
  /** Ends what waits for the connection. */
  readonly #over = new AbortController();
  readonly #end = Promise.withResolvers<string>();
  readonly #encoder = new TextEncoder();
  #typedAheadBytes = 0;
  #keyAtMs: number;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: Socket, pty: Pty, options: TerminalOptions) {
    this.#socket = socket;
    this.#pty = pty;
    this.#options = options;
    this.#keyAtMs = options.monotonicMs();
  }

  async run(): Promise<string> {
    const { signal, timers, idleMs } = this.#options;
    const stop = () => this.#end.resolve("the agent ends");
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    this.#watchKeys(idleMs);
    this.#show();
    this.#listen();
    try {
      return await this.#end.promise;
    } finally {
      this.#over.abort();
      timers.clearTimeout(this.#idleTimer);
      signal.removeEventListener("abort", stop);
    }
  }

  /** Output to the panel. */
  async #show(): Promise<void> {
    const { signal } = this.#over;
    try {
      for (let bytes = await this.#pty.read(); bytes; bytes = await this.#pty.read()) {
        await abortable(this.#socket.send(bytes), signal);
        // A program that never stops must not keep others from their turn.
        await new Promise((turn) => setTimeout(turn, 0));
        if (signal.aborted) return;
      }
    } catch {
      return this.#end.resolve(this.#connectionEnd());
    }
    if (signal.aborted) return;
    const { startError } = this.#pty;
    if (startError === "") return this.#end.resolve("the shell has ended");
    await this.#say(`Cannot open a terminal: ${startError}`);
    this.#end.resolve(`it could not be opened: ${startError}`);
  }

  /** Keys and sizes from the panel. */
  async #listen(): Promise<void> {
    const { signal } = this.#over;
    try {
      while (!signal.aborted) {
        const frame = await abortable(this.#socket.receive(), signal);
        if (frame === undefined) break;
        if (typeof frame !== "string") {
          await this.#type(frame);
          continue;
        }
        const message = parseTerminalMessage(frame);
        if (message?.kind === "keys") await this.#type(this.#encoder.encode(message.text));
        else if (message?.kind === "resize") this.#pty.resize(message.size);
      }
    } catch {
      // What it was is told by the connection itself.
    }
    this.#end.resolve(this.#connectionEnd());
  }

  /** Waits only when much is typed that nobody reads, for a connection that ends has to be noticed. */
  async #type(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#keyAtMs = this.#options.monotonicMs();
    this.#typedAheadBytes += bytes.length;
    const taken = this.#pty.write(bytes).then(
      () => void (this.#typedAheadBytes -= bytes.length),
      // The shell has gone; its output tells when.
      () => {},
    );
    if (this.#typedAheadBytes > TYPED_AHEAD_BYTES) await abortable(taken, this.#over.signal);
  }

  #watchKeys(inMs: number): void {
    const { timers, idleMs, monotonicMs } = this.#options;
    this.#idleTimer = timers.setTimeout(async () => {
      const leftMs = idleMs - (monotonicMs() - this.#keyAtMs);
      if (leftMs > 0) return this.#watchKeys(leftMs);
      const minutes = Math.round(idleMs / 60_000);
      const idle = `no key was pressed for ${minutes} minute${minutes === 1 ? "" : "s"}`;
      await this.#say(`\r\nThe terminal is closed: ${idle}`);
      this.#end.resolve(idle);
    }, inMs);
  }

  #say(line: string): Promise<void> {
    return sendLine(this.#socket, { line, timers: this.#options.timers });
  }

  #connectionEnd(): string {
    const { ending } = this.#socket;
    return `the connection has ended${ending && `: ${ending}`}`;
  }
}
