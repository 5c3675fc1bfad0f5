import { abortable } from "@std/async/abortable";
import { delay } from "@std/async/delay";
import { backoffMs } from "../async/backoff.ts";
import { withTimeout } from "../async/timeout.ts";
import type { Programs } from "../host/programs.ts";
import { describeError, getLogger } from "../log/log.ts";
import type { WebSocketConnection } from "../net/websocket.ts";
import { PanelError } from "../panel/panel_error.ts";
import type { WebSocketOpener } from "../panel/websocket_opener.ts";
import { execEnvironment } from "./exec_environment.ts";
import { Terminal } from "./terminal.ts";

/** How long a panel waits for a terminal's first connection, at least. */
export const DIAL_MS = 30_000;

/** Time for a connection in place of one that was lost: the next attempt may go another way. */
const REDIAL_MS = 6_000;
const REDIAL_DELAYS = { baseMs: 1_000, maxMs: 10_000 };

/** How long a shell lives on without a connection; so long the panel keeps its session. */
const DETACHED_MS = 5 * 60_000;

/** An attempt that takes longer is given up for a request, since it may be on a dead way. */
const HANGING_MS = 1_000;

/** Settings of a terminal that is kept. */
export interface KeptTerminalOptions {
  readonly requestId: string;
  /** Whether the panel asks again with the same id; else the shell ends with its first connection. */
  readonly resumable: boolean;
  readonly programs: Programs;
  readonly opener: WebSocketOpener;
  /** The terminal ends after so long without keys and output; 0 never does. */
  readonly idleMs: number;
  /** Ends it at once. */
  readonly signal: AbortSignal;
  /** The level at which its start and end are logged. */
  readonly level: "info" | "debug";
}

/** A terminal that a panel has asked for: its shell, and the connections that show it. */
export class KeptTerminal {
  readonly #options: KeptTerminalOptions;
  readonly #log = getLogger("remote");
  readonly #terminal: Terminal;
  readonly #ended = new AbortController();
  readonly #signal: AbortSignal;
  #isStarted = false;
  #detachedTimer: ReturnType<typeof setTimeout> | undefined;
  /** Aborts the attempts to connect anew. */
  #dialling: AbortController | undefined;
  /** When the attempt began that is under way. */
  #attemptedAtMs = -Infinity;
  /** Whether the panel has asked during that attempt. */
  #isAskedAgain = false;

  constructor(options: KeptTerminalOptions) {
    this.#options = options;
    const { programs, idleMs, resumable } = options;
    this.#signal = AbortSignal.any([options.signal, this.#ended.signal]);
    this.#terminal = new Terminal({
      programs,
      ...execEnvironment(programs),
      idleMs,
      signal: this.#signal,
      onDetached: resumable ? ({ wasLost }) => this.#onDetached(wasLost) : undefined,
    });
  }

  /** Whether its shell has ended. */
  get isOver(): boolean {
    return this.#terminal.isOver;
  }

  /** Runs to the end of the shell, and logs it; also when it can't be connected at all. */
  async run(): Promise<void> {
    try {
      await this.#run();
    } catch (error) {
      if (this.#signal.aborted) return;
      const { requestId, level } = this.#options;
      const fields = { requestId, error: describeError(error) };
      this.#log[level === "info" ? "warning" : level](
        "Terminal {requestId} failed: {error}",
        fields,
      );
    }
  }

  /** Connects anew at once, for the panel asks: the connection that it has may be dead. */
  request(): void {
    if (!this.#isStarted || !this.#options.resumable) return;
    const isHanging = performance.now() - this.#attemptedAtMs >= HANGING_MS;
    if (this.#dialling === undefined || isHanging) this.#connect();
    else this.#isAskedAgain = true;
  }

  /** Connects anew if its connection is dead: the one for reports was. */
  check(): void {
    if (this.#isStarted && this.#options.resumable) this.#terminal.check();
  }

  async #run(): Promise<void> {
    const { requestId, level } = this.#options;
    const startMs = performance.now();
    const socket = await this.#dial(DIAL_MS, this.#signal);
    if (socket === undefined) return;
    this.#isStarted = true;
    this.#log[level]("Terminal {requestId} starts", { requestId });
    const reason = await this.#terminal.run(socket);
    this.#ended.abort();
    clearTimeout(this.#detachedTimer);
    const duration = `${((performance.now() - startMs) / 1000).toFixed(1)} s`;
    this.#log[level]("Terminal {requestId} ended after {duration}: {reason}", {
      requestId,
      duration,
      reason,
    });
  }

  #onDetached(wasLost: boolean): void {
    const { requestId } = this.#options;
    this.#log.debug("Terminal {requestId} has no connection", { requestId });
    this.#detachedTimer = setTimeout(() => this.#terminal.end(), DETACHED_MS);
    if (wasLost && this.#dialling === undefined) this.#connect();
  }

  /** Dials until there is a connection, or the panel has no user for it. Never rejects. */
  async #connect(): Promise<void> {
    this.#dialling?.abort();
    const dialling = this.#dialling = new AbortController();
    const signal = AbortSignal.any([this.#signal, dialling.signal]);
    for (let failures = 0; !signal.aborted; failures++) {
      this.#attemptedAtMs = performance.now();
      this.#isAskedAgain = false;
      let retryAfterMs = 0;
      try {
        const socket = await this.#dial(REDIAL_MS, signal);
        if (socket === undefined && this.#isAskedAgain) continue;
        this.#dialling = undefined;
        return socket === undefined ? this.#terminal.detach() : this.#attach(socket);
      } catch (error) {
        if (signal.aborted) return;
        const cause = error instanceof Error ? error.cause : undefined;
        if (cause instanceof PanelError) ({ retryAfterMs = 0 } = cause);
        const { requestId } = this.#options;
        const fields = { requestId, error: describeError(error) };
        this.#log.debug("Terminal {requestId} failed: {error}", fields);
      }
      const delayMs = backoffMs(failures, { ...REDIAL_DELAYS, random: Math.random() });
      await delay(Math.max(delayMs, retryAfterMs), { signal }).catch(() => {});
    }
  }

  #attach(socket: WebSocketConnection): void {
    clearTimeout(this.#detachedTimer);
    this.#terminal.attach(socket);
  }

  #dial(timeoutMs: number, signal: AbortSignal): Promise<WebSocketConnection | undefined> {
    const { opener, requestId } = this.#options;
    return dialTerminal(opener, { requestId, timeoutMs, signal });
  }
}

/**
 * Connects a terminal; `undefined` when the panel has no such session, or no user for it.
 *
 * @throws {Error} When that fails, or takes longer than `timeoutMs`.
 */
export async function dialTerminal(
  opener: WebSocketOpener,
  options: { requestId: string; timeoutMs: number; signal: AbortSignal },
): Promise<WebSocketConnection | undefined> {
  try {
    return await withTimeout(async (signal) => {
      const dialling = opener.openTerminal(options.requestId, signal);
      try {
        return await abortable(dialling, signal);
      } catch (error) {
        // A connection that is established all the same is not used any more.
        dialling.then((socket) => socket?.close(), () => {});
        throw error;
      }
    }, options);
  } catch (cause) {
    throw new Error("Cannot connect the terminal to the panel", { cause });
  }
}
