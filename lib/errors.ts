/**
 * Error classes that a caller branches on; everything else throws a built-in class.
 *
 * @module
 */

/** What the user asked for can't be done as asked: one line for the user, exit code 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

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
  | "unspoken"
  /** The WebSocket that reports went by has ended. */
  | "disconnected"
  /** WebSockets don't get through, while POST does. */
  | "barred";

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

/** How far a line to a server came before it failed. */
export type LineStage = "lookup" | "connect" | "proxy" | "tls";

/** A line to a server did not come about; the message is for an operator and has no password. */
export class LineError extends Error {
  override name = "LineError";
  readonly stage: LineStage;

  constructor(message: string, options: { stage: LineStage; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.stage = options.stage;
  }
}

/** A server was reached, but its answer did not come or was none. */
export class AnswerError extends Error {
  override name = "AnswerError";
  readonly kind: "closed" | "malformed" | "too long" | "timeout";

  constructor(message: string, options: { kind: AnswerError["kind"]; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.kind = options.kind;
  }
}

/** A server answered the wish for a WebSocket with something else. */
export class UpgradeRefused extends Error {
  override name = "UpgradeRefused";
  readonly status: number;
  /** The start of what it said. */
  readonly text: string;
  /** Where it sends us instead. */
  readonly location: string | undefined;

  constructor(status: number, options: { text: string; location: string | undefined }) {
    super(`The upgrade to a WebSocket was answered with status ${status}`);
    this.status = status;
    this.text = options.text;
    this.location = options.location;
  }
}
