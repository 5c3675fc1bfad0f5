import type { Seen } from "../diagnosis/cause.ts";

/** Kinds of failure that callers distinguish. */
export type PanelFailure =
  | "unreachable"
  | "timeout"
  | "unauthorized"
  | "redirected"
  | "rejected"
  | "unavailable"
  | "unreadable"
  /** The answer shows that this version of the protocol is not supported, or that no panel is there. */
  | "unsupported protocol"
  /** The WebSocket that reports were sent by was closed. */
  | "disconnected"
  /** WebSockets are blocked, while POST works. */
  | "websocket blocked";

/** A call to the panel failed; the message has method and path, never the query. */
export class PanelError extends Error {
  readonly failure: PanelFailure;
  /** The HTTP status, when there was an answer. */
  readonly status: number | undefined;
  /** The code of JSON-RPC, when the panel gave one. */
  readonly code: number | undefined;
  /** How long the panel, or a proxy, wants no other call, in milliseconds, if it said so. */
  readonly retryAfterMs: number | undefined;
  /** The code of the close frame, when the WebSocket was closed before the answer. */
  readonly closeCode: number | undefined;
  /** Private, since an answer's headers may have secrets and this error may be printed. */
  readonly #seen: Seen | undefined;

  constructor(
    message: string,
    options: {
      failure: PanelFailure;
      status?: number;
      code?: number;
      retryAfterMs?: number | undefined;
      closeCode?: number | undefined;
      seen?: Seen | undefined;
      cause?: unknown;
    },
  ) {
    super(message, { cause: options.cause });
    this.failure = options.failure;
    this.status = options.status;
    this.code = options.code;
    this.retryAfterMs = options.retryAfterMs;
    this.#seen = options.seen;
    this.closeCode = options.closeCode;
  }

  /** The observation that its cause is found by. */
  get seen(): Seen | undefined {
    return this.#seen;
  }
}

/** The kind of failure; `undefined` for other errors. */
export function failureOf(error: unknown): PanelFailure | undefined {
  return error instanceof PanelError ? error.failure : undefined;
}
