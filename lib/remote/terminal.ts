import { abortable } from "@std/async/abortable";
import { delay } from "@std/async/delay";
import { backoffMs } from "../async/backoff.ts";
import { settlesWithin, withTimeout } from "../async/timeout.ts";
import type { Programs } from "../host/programs.ts";
import { describeError, getLogger } from "../log/log.ts";
import type { WebSocketConnection } from "../net/websocket.ts";
import { MAX_TERMINAL_MESSAGE_BYTES, type WebSocketOpener } from "../panel/websocket_opener.ts";
import type { ExecEnvironment } from "./exec_environment.ts";
import { parseTerminalMessage, Pty } from "./pty.ts";
import { UnconfirmedOutput } from "./unconfirmed_output.ts";

/** Settings of a terminal. */
export interface TerminalOptions {
  readonly requestId: string;
  /** Whether the panel asks again with the same id; else the shell ends with its first connection. */
  readonly resumable: boolean;
  readonly programs: Programs;
  readonly environment: ExecEnvironment;
  readonly opener: WebSocketOpener;
  /** Ends the terminal after so long without keys and output; 0 never does. */
  readonly idleMs: number;
  /** Ends it at once. */
  readonly signal: AbortSignal;
  /** The level at which its start and end are logged. */
  readonly level: "info" | "debug";
}

/** One connection of a terminal. */
interface Connection {
  readonly socket: WebSocketConnection;
  /** Aborts when output is not sent by it any more. */
  readonly released: AbortController;
  /** The place up to which output was sent. */
  sentTo: number;
  /** Resolves when all was sent that came so far. */
  sending: Promise<void>;
}

/** How long a panel waits for a terminal's first connection, at least. */
export const DIAL_MS = 30_000;

/** Time for a connection in place of one that was lost: the next attempt may go another way. */
const REDIAL_MS = 6_000;
const REDIAL_DELAYS = { baseMs: 1_000, maxMs: 10_000 };

/** An attempt that takes longer is given up for a request, since it may be on a dead way. */
const HANGING_MS = 1_000;

/** How long a shell lives on without a connection; so long the panel keeps its session. */
const DETACHED_MS = 5 * 60_000;

/** Output that the panel has not confirmed, or that came without a connection: shown on the next one. */
const MAX_MISSED_BYTES = 64 * 1024;

/** Output that is read before timers and other connections get their turn. */
const BYTES_PER_TURN = 256 * 1024;

/** A line to the user waits this long for a slow connection. */
const SEND_LINE_MS = 500;

/** A router forgets an idle connection after some minutes; an idle terminal sends nothing of its own. */
const PING_INTERVAL_MS = 15_000;
/** A connection on which nothing came for so long is dead: a panel answers pings. */
const SILENCE_MS = 40_000;
/** Time for an answer when the connection for reports was found dead. */
const CHECK_MS = 5_000;
/** Keys that were typed before a connection was replaced may still be on their way. */
const READ_ON_MS = 10_000;

const SILENT = "nothing came by it";

const MAX_INPUT = `at most ${MAX_TERMINAL_MESSAGE_BYTES / 2 ** 20} MiB are taken at once`;

/** Shows one line; gives up soon when the other side does not read. Never rejects. */
export async function sendLine(socket: WebSocketConnection, line: string): Promise<void> {
  await settlesWithin(socket.send(new TextEncoder().encode(`${line}\r\n`)), SEND_LINE_MS);
}

/**
 * A login shell in a terminal that a panel has asked for, shown by one connection at a time.
 *
 * Output is sent at the pace at which the connection takes it. Each piece is followed by a ping; the
 * pong confirms that the panel has read the piece. A connection that takes the place of another, or
 * comes after one has ended, begins with what was not confirmed, the last 64 KiB of it.
 */
export class Terminal {
  readonly #options: TerminalOptions;
  readonly #log = getLogger("remote");
  readonly #over = new AbortController();
  readonly #end = Promise.withResolvers<string>();
  readonly #output = new UnconfirmedOutput(MAX_MISSED_BYTES);
  #pty: Pty | undefined;
  #connection: Connection | undefined;
  /** The connection before, as long as it may bring keys. */
  #former: WebSocketConnection | undefined;
  #formerTimer: ReturnType<typeof setTimeout> | undefined;
  #detachedTimer: ReturnType<typeof setTimeout> | undefined;
  /** Aborts the attempts to connect anew. */
  #dialling: AbortController | undefined;
  /** Start of the current attempt. */
  #attemptedAtMs = -Infinity;
  /** Whether the panel has asked during that attempt. */
  #isAskedAgain = false;
  /** When the last key or output came. */
  #lastUseAtMs = performance.now();

  constructor(options: TerminalOptions) {
    this.#options = options;
  }

  /** Whether its shell has ended; what is left of it is being removed then. */
  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  /**
   * Dials, and runs until the shell ends, the user closes the terminal, or no connection has followed
   * the last one; logs it. Afterwards its connections are closed, and its shell was hung up.
   */
  async run(): Promise<void> {
    const { requestId, level, signal } = this.#options;
    const startMs = performance.now();
    try {
      const socket = await this.#dial(DIAL_MS, signal);
      if (socket === undefined) return;
      this.#log[level]("Terminal {requestId} starts", { requestId });
      const reason = await this.#show(socket);
      const duration = `${((performance.now() - startMs) / 1000).toFixed(1)} s`;
      const fields = { requestId, duration, reason };
      this.#log[level]("Terminal {requestId} ended after {duration}: {reason}", fields);
    } catch (error) {
      if (!signal.aborted) this.#logFailure(error, level === "info" ? "warning" : level);
    } finally {
      this.#over.abort();
    }
  }

  /** Connects anew at once: the panel asks, and the connection that it has may be dead. */
  request(): void {
    if (this.#pty === undefined || !this.#options.resumable) return;
    const isHanging = performance.now() - this.#attemptedAtMs >= HANGING_MS;
    if (this.#dialling === undefined || isHanging) this.#connect();
    else this.#isAskedAgain = true;
  }

  /** Connects anew if its connection is dead: the one for reports, on the same way, was. */
  async check(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined || !this.#options.resumable) return;
    const askedAtMs = performance.now();
    this.#ping(connection);
    await delay(CHECK_MS, connection.released).catch(() => {});
    if (connection.socket.lastReceivedAtMs < askedAtMs) this.#lose(connection, SILENT, true);
  }

  /** Shows a shell until it ends; returns the reason, for the log. Never rejects. */
  async #show(socket: WebSocketConnection): Promise<string> {
    const { programs, environment, idleMs, signal } = this.#options;
    let pty: Pty | undefined;
    try {
      pty = this.#pty = new Pty(programs, environment);
      this.#attach(socket);
      const ends = [this.#end.promise, this.#passOutput(pty)];
      if (idleMs > 0) ends.push(this.#idle(idleMs));
      return await abortable(Promise.race(ends), signal);
    } catch (error) {
      if (signal.aborted) return "the agent ends";
      const line = `Cannot open a terminal: ${describeError(error)}`;
      await sendLine(socket, line);
      return line;
    } finally {
      // From now on, who asks for the same id gets a new shell.
      this.#over.abort();
      this.#dialling?.abort();
      clearTimeout(this.#detachedTimer);
      this.#release();
      clearTimeout(this.#formerTimer);
      socket.close();
      this.#former?.close();
      await pty?.close();
    }
  }

  /** Dials until there is a connection, or the panel has no user for it. Never rejects. */
  async #connect(pauseMs = 0): Promise<void> {
    this.#dialling?.abort();
    const { signal } = this.#dialling = new AbortController();
    const restMs = this.#attemptedAtMs + pauseMs - performance.now();
    if (restMs > 0) await delay(restMs, { signal }).catch(() => {});
    for (let failures = 0; !signal.aborted; failures++) {
      this.#attemptedAtMs = performance.now();
      this.#isAskedAgain = false;
      try {
        const socket = await this.#dial(REDIAL_MS, signal);
        if (signal.aborted) return socket?.close();
        if (socket === undefined && this.#isAskedAgain) continue;
        this.#dialling = undefined;
        if (socket !== undefined) return this.#attach(socket);
        return this.#lose(this.#connection, "the panel has no user for it", false);
      } catch (error) {
        if (signal.aborted) return;
        this.#logFailure(error, "debug");
      }
      const delayMs = backoffMs(failures, { ...REDIAL_DELAYS, random: Math.random() });
      await delay(delayMs, { signal }).catch(() => {});
    }
  }

  #dial(timeoutMs: number, signal: AbortSignal): Promise<WebSocketConnection | undefined> {
    const { opener, requestId } = this.#options;
    return withTimeout((signal) => opener.openTerminal(requestId, signal), { timeoutMs, signal });
  }

  /** Goes on with a connection, which first shows what was missed. */
  #attach(socket: WebSocketConnection): void {
    clearTimeout(this.#detachedTimer);
    this.#release();
    const released = new AbortController();
    const connection = { socket, released, sentTo: this.#output.start, sending: Promise.resolve() };
    this.#connection = connection;
    socket.onPong = (payload) => this.#output.confirm(Number(new TextDecoder().decode(payload)));
    socket.onSkipped = ({ lengthBytes }) => {
      sendLine(socket, `\r\n[${lengthBytes} bytes of input were left out: ${MAX_INPUT}]`);
    };
    this.#keepAlive(connection);
    this.#send(connection);
    this.#readInput(connection);
  }

  /** Goes on without a connection, if it is the present one; `redials` unless the panel will ask. */
  #lose(connection: Connection | undefined, why: string, redials: boolean): void {
    if (connection === undefined || connection !== this.#connection) return;
    this.#release();
    const { requestId, resumable } = this.#options;
    const end = () => this.#end.resolve(`the connection has ended: ${why}`);
    if (!resumable) return end();
    this.#log.debug("Terminal {requestId} has no connection", { requestId });
    this.#detachedTimer = setTimeout(end, DETACHED_MS);
    // A server that ends each connection at once is asked once a second.
    if (redials && this.#dialling === undefined) this.#connect(REDIAL_DELAYS.baseMs);
  }

  /** Sends nothing more by the connection, but reads what was typed before. */
  #release(): void {
    if (this.#connection === undefined) return;
    const { socket, released } = this.#connection;
    this.#connection = undefined;
    released.abort();
    this.#former?.close();
    this.#former = socket;
    clearTimeout(this.#formerTimer);
    this.#formerTimer = setTimeout(() => socket.close(), READ_ON_MS);
  }

  /** Keeps the connection open on its way, and dials anew when it is dead. */
  async #keepAlive(connection: Connection): Promise<void> {
    const { socket, released } = connection;
    while (!released.signal.aborted) {
      this.#ping(connection);
      await delay(PING_INTERVAL_MS, released).catch(() => {});
      const silentMs = performance.now() - socket.lastReceivedAtMs;
      if (silentMs > SILENCE_MS) this.#lose(connection, SILENT, true);
    }
  }

  /** Asks the panel to confirm that it has read all up to a place. */
  #ping({ socket, sentTo }: Connection, place = sentTo): void {
    // A connection that is closed ends by itself.
    socket.ping(new TextEncoder().encode(`${place}`)).catch(() => {});
  }

  /** Passes the shell's output on, or keeps the end of it, up to the end of the shell. */
  async #passOutput(pty: Pty): Promise<string> {
    let bytesOfTurn = 0;
    for (let bytes = await pty.read(); bytes; bytes = await pty.read()) {
      this.#lastUseAtMs = performance.now();
      this.#output.add(bytes);
      bytesOfTurn += bytes.length;
      if (this.#connection !== undefined) await this.#send(this.#connection);
      // A program that never stops must not block other tasks.
      if (bytesOfTurn < BYTES_PER_TURN) continue;
      bytesOfTurn = 0;
      await new Promise((turn) => setTimeout(turn, 0));
    }
    return "the shell has ended";
  }

  /** Sends all output that this connection has not shown yet. Never rejects. */
  #send(connection: Connection): Promise<void> {
    return connection.sending = connection.sending.then(() => this.#sendRest(connection));
  }

  async #sendRest(connection: Connection): Promise<void> {
    const { socket, released } = connection;
    try {
      while (connection.sentTo < this.#output.end && !released.signal.aborted) {
        const bytes = this.#output.from(connection.sentTo);
        const { end } = this.#output;
        const sent = socket.send(bytes);
        this.#ping(connection, end);
        await abortable(sent, released.signal);
        connection.sentTo = end;
      }
    } catch {
      // A connection that is closed ends by itself.
    }
  }

  /** Passes keys and sizes on until the connection ends. */
  async #readInput(connection: Connection): Promise<void> {
    const { socket } = connection;
    for (let frame = await socket.receive(); frame !== undefined; frame = await socket.receive()) {
      const message = parseTerminalMessage(frame);
      if (message?.kind === "resize") this.#pty?.resize(message.size);
      if (message?.kind === "close") this.#end.resolve("the user has closed it");
      if (message?.kind !== "keys") continue;
      this.#lastUseAtMs = performance.now();
      await this.#pty?.write(message.keys);
    }
    this.#lose(connection, socket.closeReason, socket.wasLost);
  }

  /** Resolves when neither keys nor output came for so long, and says so. */
  async #idle(idleMs: number): Promise<string> {
    for (let leftMs = idleMs; leftMs > 0; leftMs = this.#lastUseAtMs + idleMs - performance.now()) {
      await delay(leftMs, this.#over);
    }
    const minutes = Math.round(idleMs / 60_000);
    const idle = `no keys and no output for ${minutes} min`;
    const socket = this.#connection?.socket;
    if (socket !== undefined) await sendLine(socket, `\r\nThe terminal is closed: ${idle}`);
    return idle;
  }

  #logFailure(error: unknown, level: "warning" | "debug"): void {
    const fields = { requestId: this.#options.requestId, error: describeError(error) };
    this.#log[level]("Terminal {requestId} failed: {error}", fields);
  }
}
