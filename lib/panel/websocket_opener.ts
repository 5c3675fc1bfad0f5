import { DialError, UpgradeError } from "../net/errors.ts";
import { openWebSocket, type WebSocketConnection } from "../net/websocket.ts";
import { connectionError, type DialOptions, foreignAnswer, statusError } from "./http_exchange.ts";
import type { DialFailure } from "./link_machine.ts";
import { MAX_SKIPPED_BYTES, ORDER_BYTES } from "./orders.ts";
import { PanelError } from "./panel_error.ts";
import { callAuthenticated, type PanelAccess } from "./authentication.ts";

/** Time for an upgrade: a proxy that never answers it must not delay reports for long. */
const OPEN_TIMEOUT_MS = 5_000;

/** Longest input of a terminal that is taken at once, as a paste is. */
export const MAX_TERMINAL_MESSAGE_BYTES = 8 * 1024 * 1024;

/** The purpose of a WebSocket: reports in a version of the protocol, or a terminal. */
export type WebSocketPurpose = { readonly version: 1 | 2 } | { readonly terminal: string };

/** Opens the panel's WebSockets. */
export class WebSocketOpener {
  readonly #access: PanelAccess;
  readonly #options: DialOptions;
  /** The longest order that is read by a WebSocket for reports. */
  readonly orderBytes: number;

  /** @param options `orderBytes`: the longest order that is read. */
  constructor(access: PanelAccess, options: DialOptions & { readonly orderBytes?: number }) {
    this.#access = access;
    this.#options = options;
    this.orderBytes = options.orderBytes ?? ORDER_BYTES;
  }

  /**
   * Opens a WebSocket.
   *
   * @throws {DialError} When the panel can't be reached, or the other errors of `openWebSocket()`;
   * {@linkcode toOpenFailure} translates them.
   * @throws The signal's reason when it aborts.
   */
  async open(purpose: WebSocketPurpose, signal: AbortSignal): Promise<WebSocketConnection> {
    const { dialer, headers } = this.#options;
    const isTerminal = "terminal" in purpose;
    const outcome = await callAuthenticated(this.#access, {
      path: pathOf(purpose),
      query: isTerminal ? { id: purpose.terminal } : undefined,
      isAccepted: ({ status }: { status: number }) => status === 101,
    }, async (target) => {
      try {
        const connection = await openWebSocket(target.url, {
          dialer,
          headers: [...headers, ...target.headers],
          maxMessageBytes: isTerminal ? MAX_TERMINAL_MESSAGE_BYTES : this.orderBytes,
          maxSkippedBytes: MAX_SKIPPED_BYTES,
          openTimeoutMs: OPEN_TIMEOUT_MS,
          signal,
        });
        return { status: 101, connection };
      } catch (error) {
        if (error instanceof UpgradeError) return error;
        throw error;
      }
    });
    if (outcome instanceof UpgradeError) throw outcome;
    return outcome.connection;
  }

  /**
   * Opens the WebSocket of a terminal; `undefined` when the panel has no such session any more.
   *
   * @throws {PanelError} When it can't be opened.
   * @throws The signal's reason when it aborts.
   */
  async openTerminal(
    requestId: string,
    signal: AbortSignal,
  ): Promise<WebSocketConnection | undefined> {
    const purpose = { terminal: requestId };
    try {
      return await this.open(purpose, signal);
    } catch (cause) {
      signal.throwIfAborted();
      const { error } = this.toOpenFailure(purpose, cause);
      const isGone = error.status === 404 && error.message.includes("Session not found");
      if (isGone) return undefined;
      throw error;
    }
  }

  /** Translates an error of {@linkcode open}: for the link, and without the query for the log. */
  toOpenFailure(
    purpose: WebSocketPurpose,
    cause: unknown,
  ): { why: DialFailure; error: PanelError } {
    const name = `open a WebSocket (GET ${pathOf(purpose)})`;
    if (!(cause instanceof UpgradeError)) {
      const why = cause instanceof DialError ? whyNotDialled(cause) : "answered";
      return { why, error: connectionError(name, cause) };
    }
    const error = cause.status === 200 ? foreignAnswer(name, cause) : statusError(name, cause);
    return { why: "answered", error };
  }
}

function whyNotDialled(error: DialError): DialFailure {
  // A proxy that refuses a WebSocket may allow a plain request.
  if (error.stage === "proxy") return "answered";
  const refuses = error.stage === "tls" || (error.stage === "connect" && isRefused(error));
  return refuses ? "refused" : "no answer";
}

function isRefused(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error instanceof Deno.errors.ConnectionRefused || isRefused(error.cause);
}

function pathOf(purpose: WebSocketPurpose): string {
  if ("terminal" in purpose) return "/api/clients/terminal";
  return purpose.version === 2 ? "/api/clients/v2/rpc" : "/api/clients/report";
}
