/** Why an exchange with the panel failed, in the kinds that are handled apart. */
export type PanelFailure =
  | "unreachable"
  | "timeout"
  | "unauthorized"
  | "redirected"
  | "rejected"
  | "unavailable"
  | "unreadable"
  /** The answer has no sign of the version of the protocol that was spoken. */
  | "unsupported protocol"
  /** The WebSocket that reports went by has ended. */
  | "disconnected"
  /** WebSockets don't get through, while POST does. */
  | "websocket blocked";

/** An exchange with the panel failed; the message carries method and path, never the query. */
export class PanelError extends Error {
  override name = "PanelError";
  readonly failure: PanelFailure;
  /** The HTTP status, when there was an answer. */
  readonly status: number | undefined;
  /** The code of JSON-RPC, when the panel gave one. */
  readonly code: number | undefined;

  constructor(
    message: string,
    options: { failure: PanelFailure; status?: number; code?: number; cause?: unknown },
  ) {
    super(message, { cause: options.cause });
    this.failure = options.failure;
    this.status = options.status;
    this.code = options.code;
  }
}
