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
  | "unreadable";

/** An exchange with the panel failed; the message carries method and path, never the query. */
export class PanelError extends Error {
  override name = "PanelError";
  readonly failure: PanelFailure;
  /** The HTTP status, when there was an answer. */
  readonly status: number | undefined;

  constructor(
    message: string,
    options: { failure: PanelFailure; status?: number; cause?: unknown },
  ) {
    super(message, { cause: options.cause });
    this.failure = options.failure;
    this.status = options.status;
  }
}
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
