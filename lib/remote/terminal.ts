import { abortable } from "@std/async/abortable";
import { delay } from "@std/async/delay";
import { describeError } from "../log/log.ts";
import { settlesWithin } from "../async/timeout.ts";
import type { WebSocketConnection } from "../net/websocket.ts";
import type { Programs } from "../host/programs.ts";
import type { ExecEnvironment } from "./exec_environment.ts";
import { parseTerminalMessage, Pty } from "./pty.ts";
import { MAX_TERMINAL_MESSAGE_BYTES } from "../panel/websocket_opener.ts";

/** Settings of a terminal. */
export interface TerminalOptions extends ExecEnvironment {
  readonly programs: Programs;
  /** Ends the terminal after so long without keys and output; 0 never does. */
  readonly idleMs: number;
  /** Ends it at once. */
  readonly signal: AbortSignal;
  /**
   * Called when its connection has ended and no other has taken its place: `wasLost` unless the panel
   * has closed it. Without this function a terminal ends with its first connection.
   */
  onDetached?: ((ending: { wasLost: boolean }) => void) | undefined;
}

/** One connection of a terminal. */
interface Connection {
  readonly socket: WebSocketConnection;
  /** Aborts when the connection is not used any more. */
  readonly ended: AbortController;
  /** Aborts then too, and when the terminal ends. */
  readonly signal: AbortSignal;
  readonly startedAtMs: number;
  /** The place up to which output was sent. */
  sentTo: number;
  /** Set while output is being sent. */
  sending: Promise<void> | undefined;
  /** Whether it was given up since nothing came. */
  isSilent: boolean;
}

/** Input that the terminal has not read yet; with more of it the connection has to wait. */
const MAX_PENDING_INPUT_BYTES = 1024 * 1024;

/** Output that the panel has not confirmed, or that came without a connection: shown on the next one. */
const MAX_MISSED_BYTES = 64 * 1024;

/** Output that is read before timers and other connections get their turn. */
const BYTES_PER_TURN = 256 * 1024;

/** A line to the user waits this long for a slow connection. */
const SEND_LINE_MS = 500;

/** A router forgets an idle connection after some minutes; an idle terminal sends nothing of its own. */
const PING_INTERVAL_MS = 15_000;
/** A connection on which nothing came for so long is dead, if the panel has answered pings before. */
const SILENCE_MS = 40_000;
/** Time for an answer when the connection for reports was found dead. */
const CHECK_MS = 5_000;

const MAX_INPUT = `at most ${MAX_TERMINAL_MESSAGE_BYTES / 2 ** 20} MiB are taken at once`;

const NO_SCRIPT =
  'Cannot open a terminal: there is no "script" command; install util-linux (util-linux-misc on Alpine)';

/** Shows one line; gives up soon when the other side does not read. Never rejects. */
export async function sendLine(socket: WebSocketConnection, line: string): Promise<void> {
  await settlesWithin(socket.send(new TextEncoder().encode(`${line}\r\n`)), SEND_LINE_MS);
}

/**
 * A login shell in a terminal, shown by one connection at a time.
 *
 * Output is sent at the pace at which the connection takes it. Each piece is followed by a ping; the
 * pong confirms that the panel has read the piece. A connection that takes the place of another, or
 * comes after one has ended, begins with what was not confirmed, the last 64 KiB of it.
 */
export class Terminal {
  readonly #options: TerminalOptions;
  /** Aborts when the terminal has ended. */
  readonly #over = new AbortController();
  readonly #end = Promise.withResolvers<string>();
  readonly #encoder = new TextEncoder();
  readonly #output = new UnconfirmedOutput(MAX_MISSED_BYTES);
  #pty: Pty | undefined;
  #connection: Connection | undefined;
  /** Why the last connection has ended. */
  #lastEnding = "";
  /** Whether the panel answers pings, by any connection: one may be lost before its first pong. */
  #answersPings = false;
  #pendingInputBytes = 0;
  /** When the last key or output came. */
  #lastUseAtMs = performance.now();
  #idleTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: TerminalOptions) {
    this.#options = options;
  }

  /** Whether it has ended; what is left of it is being removed then. */
  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  /**
   * Runs until the shell ends, the user closes the terminal, or {@linkcode end} is called; returns the
   * reason, for the log. Afterwards its connection is closed, and its shell was hung up.
   */
  async run(socket: WebSocketConnection): Promise<string> {
    const { programs, env, idleMs, signal } = this.#options;
    let pty: Pty | undefined;
    try {
      if (programs.find("script", env["PATH"] ?? "") === undefined) {
        await sendLine(socket, NO_SCRIPT);
        return 'there is no "script" command';
      }
      pty = this.#pty = new Pty(programs, this.#options);
      if (idleMs > 0) this.#watchUse(idleMs);
      this.attach(socket);
      this.#readOutput(pty);
      return await abortable(this.#end.promise, signal).catch(() => "the agent ends");
    } catch (error) {
      const line = `Cannot open a terminal: ${describeError(error)}`;
      await sendLine(socket, line);
      return line;
    } finally {
      this.#over.abort();
      this.#connection?.socket.close();
      clearTimeout(this.#idleTimer);
      socket.close();
      await pty?.close();
    }
  }

  /** Goes on with a connection, which first shows what was missed; the one before is closed. */
  attach(socket: WebSocketConnection): void {
    if (this.#over.signal.aborted) return socket.close();
    const ended = new AbortController();
    const before = this.#connection;
    if (before !== undefined) this.#release(before);
    const connection: Connection = {
      socket,
      ended,
      signal: AbortSignal.any([ended.signal, this.#over.signal]),
      startedAtMs: performance.now(),
      sentTo: this.#output.firstCharacter,
      sending: undefined,
      isSilent: false,
    };
    this.#connection = connection;
    socket.onPong = (payload) => this.#confirm(connection, payload);
    socket.onSkipped = ({ lengthBytes }) => {
      sendLine(socket, `\r\n[${lengthBytes} bytes of input were left out: ${MAX_INPUT}]`);
    };
    this.#serve(connection);
  }

  /** Closes the connection, for which the panel has no user any more. */
  detach(): void {
    this.#connection?.ended.abort();
  }

  /** Finds out whether the connection is dead: the one for reports, on the same way, was. */
  async check(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    const askedAtMs = performance.now();
    this.#ping(connection);
    await delay(CHECK_MS, { signal: connection.signal }).catch(() => {});
    if (connection.socket.lastReceivedAtMs < askedAtMs) this.#giveUp(connection);
  }

  /** Ends it, since no connection has followed the last one. */
  end(): void {
    this.#end.resolve(this.#lastEnding);
  }

  /** Passes output and input until the connection ends, or another takes its place. Never rejects. */
  async #serve(connection: Connection): Promise<void> {
    const { socket, ended } = connection;
    const timer = setInterval(() => this.#keepAlive(connection), PING_INTERVAL_MS);
    this.#ping(connection);
    this.#send(connection);
    await this.#readInput(connection);
    clearInterval(timer);
    ended.abort();
    if (connection !== this.#connection) return;
    this.#release(connection);
    this.#lastEnding = `the connection has ended${socket.closeReason && `: ${socket.closeReason}`}`;
    if (this.#over.signal.aborted) return;
    const { onDetached } = this.#options;
    if (onDetached === undefined) this.end();
    else onDetached({ wasLost: socket.wasLost || connection.isSilent });
  }

  #release(connection: Connection): void {
    const { socket, ended, sentTo, startedAtMs } = connection;
    this.#connection = undefined;
    ended.abort();
    socket.close();
    // A panel that has had the time for a pong sends none, so it can't be told what has arrived. One
    // that was lost before has confirmed nothing yet: a line twice is better than a line lost.
    const hadTime = performance.now() - startedAtMs > CHECK_MS;
    if (!this.#answersPings && hadTime) this.#output.confirm(sentTo);
  }

  #keepAlive(connection: Connection): void {
    const silentMs = performance.now() - connection.socket.lastReceivedAtMs;
    if (this.#answersPings && silentMs > SILENCE_MS) this.#giveUp(connection);
    else this.#ping(connection);
  }

  #giveUp(connection: Connection): void {
    connection.isSilent = true;
    connection.ended.abort();
  }

  /** Asks the panel to confirm that it has read all up to a place. */
  #ping({ socket, sentTo }: Connection, place = sentTo): void {
    // A connection that is closed ends by itself.
    socket.ping(this.#encoder.encode(`${place}`)).catch(() => {});
  }

  #confirm(connection: Connection, payload: Uint8Array): void {
    this.#answersPings = true;
    const place = Number(new TextDecoder().decode(payload));
    if (connection === this.#connection && place <= this.#output.end) this.#output.confirm(place);
  }

  /** Passes the shell's output on, or keeps the end of it, up to the end of the shell. Never rejects. */
  async #readOutput(pty: Pty): Promise<void> {
    try {
      await this.#passOutput(pty);
    } catch (error) {
      const reason = `its output can't be read: ${describeError(error)}`;
      await this.#sendLine(`\r\nThe terminal is closed: ${reason}`);
      this.#end.resolve(reason);
    }
  }

  async #passOutput(pty: Pty): Promise<void> {
    let bytesOfTurn = 0;
    for (let bytes = await pty.read(); bytes; bytes = await pty.read()) {
      this.#lastUseAtMs = performance.now();
      this.#output.add(bytes);
      bytesOfTurn += bytes.length;
      const connection = this.#connection;
      if (connection !== undefined) await this.#send(connection);
      // A program that never stops must not block other tasks.
      if (bytesOfTurn < BYTES_PER_TURN) continue;
      bytesOfTurn = 0;
      await new Promise((turn) => setTimeout(turn, 0));
    }
    const { startError } = pty;
    if (startError === "") return this.#end.resolve("the shell has ended");
    await this.#sendLine(`Cannot open a terminal: ${startError}`);
    this.#end.resolve(`it could not be opened: ${startError}`);
  }

  /** Sends all output that this connection has not shown yet. Never rejects. */
  #send(connection: Connection): Promise<void> {
    if (connection.sentTo >= this.#output.end) return connection.sending ?? Promise.resolve();
    connection.sending ??= this.#sendRest(connection);
    return connection.sending;
  }

  async #sendRest(connection: Connection): Promise<void> {
    const { socket, ended, signal } = connection;
    try {
      while (connection.sentTo < this.#output.end) {
        const bytes = this.#output.from(connection.sentTo);
        const { end } = this.#output;
        const sent = socket.send(bytes);
        this.#ping(connection, end);
        await abortable(sent, signal);
        connection.sentTo = end;
      }
    } catch {
      ended.abort();
    }
    connection.sending = undefined;
  }

  /** Passes keys and sizes on until the connection ends. Never rejects. */
  async #readInput({ socket, signal }: Connection): Promise<void> {
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
        else if (message?.kind === "resize") this.#pty?.resize(message.size);
        else if (message?.kind === "close") this.#end.resolve("the user has closed it");
      }
    } catch {
      // The connection itself tells why it has ended.
    }
  }

  /** Waits only when much input is pending, for the end of a connection has to be noticed. */
  async #write(bytes: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<void> {
    this.#lastUseAtMs = performance.now();
    this.#pendingInputBytes += bytes.length;
    const written = this.#pty?.write(bytes).then(
      () => void (this.#pendingInputBytes -= bytes.length),
      // The shell has gone; the end of its output is the end of the terminal.
      () => {},
    );
    if (this.#pendingInputBytes > MAX_PENDING_INPUT_BYTES && written) {
      await abortable(written, signal);
    }
  }

  #watchUse(inMs: number): void {
    const { idleMs } = this.#options;
    this.#idleTimer = setTimeout(async () => {
      const leftMs = idleMs - (performance.now() - this.#lastUseAtMs);
      if (leftMs > 0) return this.#watchUse(leftMs);
      const minutes = Math.round(idleMs / 60_000);
      const idle = `no keys and no output for ${minutes} minute${minutes === 1 ? "" : "s"}`;
      await this.#sendLine(`\r\nThe terminal is closed: ${idle}`);
      this.#end.resolve(idle);
    }, inMs);
  }

  async #sendLine(line: string): Promise<void> {
    const socket = this.#connection?.socket;
    if (socket !== undefined) await sendLine(socket, line);
  }
}

/**
 * Output of a terminal that may have to be sent again: what the panel has not confirmed, up to a limit.
 *
 * Its places are counted in bytes from the start of the terminal.
 */
export class UnconfirmedOutput {
  readonly #limitBytes: number;
  #bytes = new Uint8Array(0);
  #end = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** The end of all output so far. */
  get end(): number {
    return this.#end;
  }

  /** The start of what is kept. */
  get start(): number {
    return this.#end - this.#bytes.length;
  }

  /** Adds bytes, which are copied; the oldest ones are forgotten for them. */
  add(bytes: Uint8Array): void {
    const added = bytes.subarray(Math.max(0, bytes.length - this.#limitBytes));
    const keptBytes = Math.min(this.#bytes.length, this.#limitBytes - added.length);
    const joined = new Uint8Array(keptBytes + added.length);
    joined.set(this.#bytes.subarray(this.#bytes.length - keptBytes));
    joined.set(added, keptBytes);
    this.#bytes = joined;
    this.#end += bytes.length;
  }

  /** Gives what is kept from a place on: views that stay as they are. */
  from(place: number): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(Math.max(0, place - this.start));
  }

  /** Gives the first place from which on a new connection shows whole characters. */
  get firstCharacter(): number {
    const index = this.#bytes.findIndex((byte) => (byte & 0xC0) !== 0x80);
    return this.start + Math.max(0, Math.min(index, 3));
  }

  /** Forgets what lies before a place. */
  confirm(place: number): void {
    // A copy: a view of a few bytes would keep all of them.
    if (place > this.start) this.#bytes = this.from(place).slice();
  }
}
