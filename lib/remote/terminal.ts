import { abortable } from "@std/async/abortable";
import { describeError } from "../log/log.ts";
import { settlesWithin } from "../async/timeout.ts";
import type { WebSocketConnection } from "../net/websocket.ts";
import type { Programs } from "../host/programs.ts";
import type { ExecEnvironment } from "./exec_environment.ts";
import { Pty } from "./pty.ts";
import { parseTerminalMessage } from "./terminal_messages.ts";

/** Settings of a terminal. */
export interface TerminalOptions extends ExecEnvironment {
  readonly programs: Programs;
  /** Ends the terminal when no key was pressed for so long. */
  readonly idleMs: number;
  /** Ends it at once. */
  readonly signal: AbortSignal;
  /**
   * Gives the connection that follows one that has ended; `undefined` ends the terminal. Without
   * this function a terminal ends with its first connection.
   *
   * @param signal Aborts when the terminal ends.
   */
  nextSocket?(signal: AbortSignal): Promise<WebSocketConnection | undefined>;
}

/** Input that the terminal has not read yet; with more of it the connection has to wait. */
const MAX_PENDING_INPUT_BYTES = 1024 * 1024;

/** Output of the time without a connection that is shown on the next one. */
const MAX_MISSED_BYTES = 64 * 1024;

/** Pause between two pieces of output that are not shown now. */
const UNSEEN_PAUSE_MS = 20;

/** A line to the user waits this long for a slow connection. */
const SEND_LINE_MS = 500;

const NO_SCRIPT =
  'Cannot open a terminal: there is no "script" command; install util-linux (util-linux-misc on Alpine)';

/** Shows one line; gives up soon when the other side does not read. Never rejects. */
export async function sendLine(socket: WebSocketConnection, line: string): Promise<void> {
  await settlesWithin(socket.send(new TextEncoder().encode(`${line}\r\n`)), SEND_LINE_MS);
}

/**
 * Connects a login shell in a terminal with the panel, until the shell ends, the user closes the
 * terminal, or its connection ends and no other follows.
 *
 * Afterwards the connection is closed and no process of the terminal is left. Output is sent at the
 * pace at which the connection takes it; without a connection the last 64 KiB of it are kept for the
 * next one. Returns the reason of the end, for the log.
 */
export async function runTerminal(
  socket: WebSocketConnection,
  options: TerminalOptions,
): Promise<string> {
  let pty: Pty | undefined;
  try {
    if (options.programs.find("script", options.env["PATH"] ?? "") === undefined) {
      await sendLine(socket, NO_SCRIPT);
      return 'there is no "script" command';
    }
    pty = new Pty(options.programs, options);
    return await new Terminal(pty, options).run(socket);
  } catch (error) {
    const line = `Cannot open a terminal: ${describeError(error)}`;
    await sendLine(socket, line);
    return line;
  } finally {
    socket.close();
    await pty?.close();
  }
}

class Terminal {
  readonly #pty: Pty;
  readonly #options: TerminalOptions;
  /** Aborts when the terminal has ended. */
  readonly #over = new AbortController();
  readonly #end = Promise.withResolvers<string>();
  readonly #encoder = new TextEncoder();
  readonly #missed = new OutputTail(MAX_MISSED_BYTES);
  /** Where output goes. */
  #connection:
    | {
      readonly socket: WebSocketConnection;
      readonly ended: AbortController;
      readonly signal: AbortSignal;
    }
    | undefined;
  #pendingInputBytes = 0;
  #lastKeyAtMs = performance.now();
  #idleTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(pty: Pty, options: TerminalOptions) {
    this.#pty = pty;
    this.#options = options;
  }

  async run(socket: WebSocketConnection): Promise<string> {
    const { signal, idleMs } = this.#options;
    this.#watchKeys(idleMs);
    this.#serveAll(socket);
    this.#readOutput();
    try {
      return await abortable(this.#end.promise, signal).catch(() => "the agent ends");
    } finally {
      this.#over.abort();
      this.#connection?.socket.close();
      clearTimeout(this.#idleTimer);
    }
  }

  /** Serves one connection after another. */
  async #serveAll(first: WebSocketConnection): Promise<void> {
    let reason = "";
    for (let socket: WebSocketConnection | undefined = first; socket !== undefined;) {
      await this.#serve(socket);
      const { closeReason: ending } = socket;
      reason = `the connection has ended${ending && `: ${ending}`}`;
      if (this.#over.signal.aborted) break;
      socket = await this.#options.nextSocket?.(this.#over.signal);
    }
    this.#end.resolve(reason);
  }

  /** Shows what was missed, then passes output and input until the connection ends. */
  async #serve(socket: WebSocketConnection): Promise<void> {
    const ended = new AbortController();
    const signal = AbortSignal.any([ended.signal, this.#over.signal]);
    const reading = this.#readInput(socket, signal).finally(() => ended.abort());
    let bytes = this.#missed.take();
    try {
      for (; bytes.length > 0; bytes = this.#missed.take()) {
        await abortable(socket.send(bytes), signal);
      }
      this.#connection = { socket, ended, signal };
    } catch {
      this.#missed.putBack(bytes);
      ended.abort();
    }
    await reading;
    this.#connection = undefined;
    socket.close();
  }

  /** Passes the shell's output on, or keeps the end of it. */
  async #readOutput(): Promise<void> {
    for (let bytes = await this.#pty.read(); bytes; bytes = await this.#pty.read()) {
      await this.#send(bytes);
      // A program that never stops must not block other tasks, nor use a CPU for unseen output.
      const pauseMs = this.#connection === undefined ? UNSEEN_PAUSE_MS : 0;
      await new Promise((turn) => setTimeout(turn, pauseMs));
    }
    const { startError } = this.#pty;
    if (startError === "") return this.#end.resolve("the shell has ended");
    await this.#sendLine(`Cannot open a terminal: ${startError}`);
    this.#end.resolve(`it could not be opened: ${startError}`);
  }

  async #send(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return this.#missed.add(bytes);
    const { socket, ended, signal } = connection;
    try {
      await abortable(socket.send(bytes), signal);
    } catch {
      this.#missed.add(bytes);
      ended.abort();
    }
  }

  /** Passes keys and sizes on until the connection ends. Never rejects. */
  async #readInput(socket: WebSocketConnection, signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        const frame = await abortable(socket.receive(), signal);
        if (frame === undefined) return;
        if (typeof frame !== "string") {
          await this.#write(frame, signal);
          continue;
        }
        const message = parseTerminalMessage(frame);
        if (message?.kind === "keys") await this.#write(this.#encoder.encode(message.text), signal);
        else if (message?.kind === "resize") this.#pty.resize(message.size);
        else if (message?.kind === "close") this.#end.resolve("the user has closed it");
      }
    } catch {
      // The connection itself tells why it has ended.
    }
  }

  /** Waits only when much input is pending, for the end of a connection has to be noticed. */
  async #write(bytes: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<void> {
    this.#lastKeyAtMs = performance.now();
    this.#pendingInputBytes += bytes.length;
    const written = this.#pty.write(bytes).then(
      () => void (this.#pendingInputBytes -= bytes.length),
      // The shell has gone; the end of its output is the end of the terminal.
      () => {},
    );
    if (this.#pendingInputBytes > MAX_PENDING_INPUT_BYTES) await abortable(written, signal);
  }

  #watchKeys(inMs: number): void {
    const { idleMs } = this.#options;
    this.#idleTimer = setTimeout(async () => {
      const leftMs = idleMs - (performance.now() - this.#lastKeyAtMs);
      if (leftMs > 0) return this.#watchKeys(leftMs);
      const minutes = Math.round(idleMs / 60_000);
      const idle = `no key was pressed for ${minutes} minute${minutes === 1 ? "" : "s"}`;
      await this.#sendLine(`\r\nThe terminal is closed: ${idle}`);
      this.#end.resolve(idle);
    }, inMs);
  }

  async #sendLine(line: string): Promise<void> {
    const socket = this.#connection?.socket;
    if (socket !== undefined) await sendLine(socket, line);
  }
}

/** The end of an output: the last bytes of it, up to a limit. */
class OutputTail {
  readonly #limitBytes: number;
  #bytes = new Uint8Array(0);

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Adds bytes; they are copied. */
  add(bytes: Uint8Array): void {
    const added = bytes.subarray(Math.max(0, bytes.length - this.#limitBytes));
    const keptBytes = Math.min(this.#bytes.length, this.#limitBytes - added.length);
    const joined = new Uint8Array(keptBytes + added.length);
    joined.set(this.#bytes.subarray(this.#bytes.length - keptBytes));
    joined.set(added, keptBytes);
    this.#bytes = joined;
  }

  /** Puts back what was taken, before all that was added since. */
  putBack(bytes: Uint8Array<ArrayBuffer>): void {
    const added = this.#bytes;
    this.#bytes = bytes;
    this.add(added);
  }

  /** Gives what there is, from the start of a character on, and forgets it. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes;
    this.#bytes = new Uint8Array(0);
    const start = bytes.findIndex((byte) => (byte & 0xC0) !== 0x80);
    return bytes.subarray(Math.max(0, Math.min(start, 3)));
  }
}
