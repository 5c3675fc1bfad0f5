import { abortable } from "@std/async/abortable";
import type { Programs } from "../host/programs.ts";
import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import { settlesWithin, withTimeout } from "../async/timeout.ts";
import type { WebSocketConnection } from "../net/websocket.ts";
import type { PanelOrder } from "../panel/orders.ts";
import type { WebSocketOpener } from "../panel/websocket_opener.ts";
import { execEnvironment } from "./exec_environment.ts";
import { createTaskQueue } from "./task_queue.ts";
import { runTerminal, sendLine } from "./terminal.ts";

/** A request for a terminal. One that is not resumable ends with its connection. */
type TerminalOrder = PanelOrder & { kind: "terminal" };

/** A terminal that is open. */
interface OpenTerminal {
  /** Set while it has no connection: connects it again, or ends it. */
  resume: ((isWanted: boolean) => void) | undefined;
  isConnected: boolean;
  /** Time of a request that came while it was connected. */
  requestedAtMs: number | undefined;
}

const MAX_OPEN = 4;

/** Refusals that wait; further requests are dropped. */
const MAX_REFUSALS = 64;

/** How long a panel waits for a terminal's connection, at least. */
const DIAL_MS = 30_000;

/** How long a shell lives on without a connection; so long the panel keeps its session. */
const DETACHED_MS = 5 * 60_000;

/**
 * A request that came so long before the end of its terminal's connection asks for a new one: when a
 * browser is reloaded, the request may overtake the end, which comes by another connection.
 */
const OVERTAKING_MS = 5_000;

/** Terminals of a minute that are logged at the levels info and warning; the others at debug. */
const LOGGED_A_MINUTE = 5;

const DISABLED =
  "Remote control is disabled. To turn it on, start the agent with --enable-remote-control.";

const TOO_MANY = `Cannot open a terminal: ${MAX_OPEN} are open already. Close one and try again.`;

/** The panel's terminals: a few at a time, and a line that says why for the others. */
export class Terminals {
  readonly #programs: Programs | undefined;
  readonly #opener: WebSocketOpener;
  readonly #idleMs: number;
  readonly #log = getLogger("remote");
  readonly #refusalLog = LogRateLimit.once();
  readonly #dropLog = LogRateLimit.once();
  readonly #terminalLog = new LogRateLimit({ lines: LOGGED_A_MINUTE });
  readonly #ended = new AbortController();
  /** By request, the one without a connection for longest first. */
  readonly #open = new Map<string, OpenTerminal>();
  readonly #running = new Set<Promise<void>>();
  readonly #refused = new Set<string>();
  readonly #refusals = createTaskQueue({ concurrency: 4, capacity: MAX_REFUSALS });

  /**
   * @param programs `undefined` when remote control is off: every request is refused then.
   * @param options `idleMs`: a terminal ends when no key was pressed for so long.
   */
  constructor(
    programs: Programs | undefined,
    opener: WebSocketOpener,
    { idleMs }: { idleMs: number },
  ) {
    this.#programs = programs;
    this.#opener = opener;
    this.#idleMs = idleMs;
  }

  /**
   * Opens a terminal for the panel's request, or connects the one of the same id again. While that
   * is being connected, the request is a duplicate and ignored; while it is connected, it counts if the
   * connection ends soon.
   */
  handle(order: TerminalOrder): void {
    const { requestId } = order;
    if (this.#ended.signal.aborted) return;
    const open = this.#open.get(requestId);
    if (open !== undefined) {
      if (open.isConnected) open.requestedAtMs = performance.now();
      return open.resume?.(true);
    }
    const programs = this.#programs;
    if (programs === undefined) {
      this.#refusalLog.write(() =>
        this.#log.warning("Refused a terminal of the panel: remote control is off")
      );
      return this.#refuse(requestId, DISABLED);
    }
    if (this.#open.size >= MAX_OPEN && !this.#endDetached()) {
      return this.#refuse(requestId, TOO_MANY);
    }
    const running = this.#run(programs, order).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Ends all terminals; resolves when nothing of them is left. */
  async close(): Promise<void> {
    this.#ended.abort(new DOMException("The agent ends", "AbortError"));
    await Promise.all([...this.#running, this.#refusals.close()]);
  }

  async #run(programs: Programs, { requestId, resumable }: TerminalOrder): Promise<void> {
    const startMs = performance.now();
    const isLogged = this.#terminalLog.allows();
    const level = isLogged ? "info" : "debug";
    const open: OpenTerminal = { resume: undefined, isConnected: false, requestedAtMs: undefined };
    this.#open.set(requestId, open);
    try {
      const socket = await this.#dial(requestId);
      if (socket === undefined) return;
      open.isConnected = true;
      this.#log[level]("Terminal {requestId} starts", { requestId });
      const reason = await runTerminal(socket, {
        programs,
        ...execEnvironment(programs),
        idleMs: this.#idleMs,
        signal: this.#ended.signal,
        nextSocket: resumable
          ? (signal) => this.#nextSocket(open, { requestId, signal })
          : undefined,
      });
      const duration = `${((performance.now() - startMs) / 1000).toFixed(1)} s`;
      this.#log[level]("Terminal {requestId} ended after {duration}: {reason}", {
        requestId,
        duration,
        reason,
      });
    } catch (error) {
      this.#logFailure(requestId, { error, level: isLogged ? "warning" : "debug" });
    } finally {
      if (this.#open.get(requestId) === open) this.#open.delete(requestId);
    }
  }

  /** Waits for the panel to ask again; `undefined` when it does not. */
  async #nextSocket(
    open: OpenTerminal,
    { requestId, signal }: { requestId: string; signal: AbortSignal },
  ): Promise<WebSocketConnection | undefined> {
    const endMs = performance.now() + DETACHED_MS;
    // Behind those that have been without a connection for longer.
    this.#open.delete(requestId);
    this.#open.set(requestId, open);
    this.#log.debug("Terminal {requestId} has no connection", { requestId });
    open.isConnected = false;
    const { requestedAtMs } = open;
    open.requestedAtMs = undefined;
    let isRequested = requestedAtMs !== undefined &&
      performance.now() - requestedAtMs <= OVERTAKING_MS;
    while (isRequested || await this.#isResumed(open, { endMs, signal })) {
      isRequested = false;
      try {
        const socket = await this.#dial(requestId, signal);
        if (socket !== undefined) {
          open.isConnected = true;
          return socket;
        }
      } catch (error) {
        if (signal.aborted) break;
        this.#logFailure(requestId, { error, level: "debug" });
      }
    }
    return undefined;
  }

  /** Waits for a request for this terminal. */
  async #isResumed(
    open: OpenTerminal,
    { endMs, signal }: { endMs: number; signal: AbortSignal },
  ): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    open.resume = resolve;
    const isSettled = await settlesWithin(promise, endMs - performance.now(), { signal });
    open.resume = undefined;
    return isSettled && await promise;
  }

  /** Ends the terminal that has been without a connection for longest; whether there is one. */
  #endDetached(): boolean {
    for (const [requestId, open] of this.#open) {
      if (open.resume === undefined) continue;
      open.resume(false);
      this.#open.delete(requestId);
      return true;
    }
    return false;
  }

  /** Connects within the time that the panel waits; `undefined` when it waits no more. */
  async #dial(
    requestId: string,
    terminal = this.#ended.signal,
  ): Promise<WebSocketConnection | undefined> {
    const signal = AbortSignal.any([this.#ended.signal, terminal]);
    try {
      return await withTimeout(async (signal) => {
        const dialling = this.#opener.openTerminal(requestId, signal);
        try {
          return await abortable(dialling, signal);
        } catch (error) {
          // A connection that is established all the same is not used any more.
          dialling.then((socket) => socket?.close(), () => {});
          throw error;
        }
      }, { timeoutMs: DIAL_MS, signal });
    } catch (cause) {
      throw new Error("Cannot connect the terminal to the panel", { cause });
    }
  }

  #logFailure(
    requestId: string,
    { error, level }: { error: unknown; level: "warning" | "debug" },
  ): void {
    if (this.#ended.signal.aborted) return;
    this.#log[level]("Terminal {requestId} failed: {error}", {
      requestId,
      error: describeError(error),
    });
  }

  #refuse(requestId: string, line: string): void {
    const requestedAtMs = performance.now();
    if (this.#refused.has(requestId)) return;
    const isAccepted = this.#refusals.add(async () => {
      try {
        if (performance.now() - requestedAtMs >= DIAL_MS) return;
        const socket = await this.#dial(requestId);
        if (socket === undefined) return;
        await sendLine(socket, line);
        socket.close();
      } catch (error) {
        this.#log.debug("{error}", { error: describeError(error) });
      } finally {
        this.#refused.delete(requestId);
      }
    });
    if (isAccepted) {
      this.#refused.add(requestId);
    } else {
      this.#dropLog.write(() =>
        this.#log.warning("The panel asks for too many terminals: some requests are dropped")
      );
    }
  }
}
